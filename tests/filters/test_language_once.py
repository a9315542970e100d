from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from synth.filters.language import _undeclared_by_sentence, undeclared

TEXTS = st.text(st.sampled_from("abz éßñ где ひ漢 عر 12 ,.!?。、\n“”…"), max_size=400)


@given(TEXTS, st.sampled_from([("Latn",), ("Arab",), ("Hani", "Hira", "Kana")]))
def test_letters_add_up_over_sentences(text, scripts):
    assert _undeclared_by_sentence(text, scripts) == undeclared(text, scripts)
