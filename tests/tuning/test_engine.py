"""dspy's questions go through `ask`: no cache, no retries, and the same question again is another draw."""

from __future__ import annotations

import pytest

from synth.ask import Answer
from synth.errors import IncompleteError
from synth.records.labels import Outcome
from synth.records.schema import Call
from synth.tuning.engine import open_lm


def answer(text, outcome=Outcome.OK):
    return Answer(text, Call("0" * 32, "tune", None, 0, "m", outcome, 3, 5))


def test_what_dspy_asks_is_asked_of_us_as_messages():
    import dspy

    asked = []

    def reflect(messages, draw):
        asked.append((messages, draw))
        return answer('{"second": "two"}')

    lm = open_lm(reflect)
    with dspy.context(adapter=dspy.JSONAdapter(), disable_history=True, lm=lm):
        first = dspy.Predict("first -> second")(first="one").second
        dspy.Predict("first -> second")(first="one")
        dspy.Predict("first -> second")(first="other")
    assert first == "two"
    assert [draw for _, draw in asked] == [0, 1, 0]
    assert [message.role for message in asked[0][0]] == ["system", "user"]
    assert "one" in asked[0][0][1].content


@pytest.mark.parametrize("said", [answer("", Outcome.REFUSED), IncompleteError("the budget is spent")])
def test_what_is_not_answered_is_not_asked_again(said):
    import dspy

    asked = []

    def reflect(messages, draw):
        asked.append(draw)
        if isinstance(said, Exception):
            raise said
        return said

    with (
        pytest.raises(dspy.LMError),
        dspy.context(adapter=dspy.ChatAdapter(), disable_history=True, lm=open_lm(reflect)),
    ):
        dspy.Predict("first -> second")(first="one")
    assert asked == [0]
