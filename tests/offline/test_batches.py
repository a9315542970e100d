from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import FormData, web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st

from synth.offline.batches import Batching, add_routes, read_input

URL = "/v1/chat/completions"


def lines(*keys, **changes):
    stated = [{"custom_id": key, "method": "POST", "url": URL, "body": {"said": key}} | changes for key in keys]
    return "".join(json.dumps(one) + "\n" for one in stated).encode()


class Client:
    """A client of a server with these routes, as a person would write it by hand."""

    def __init__(self, http, counts):
        self._http = http
        self.counts = counts

    async def get(self, path, status=200, **query):
        async with self._http.get(f"/v1/{path}", params=query) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json(content_type=None)

    async def post(self, path, body=None, status=200, **given_):
        async with self._http.post(f"/v1/{path}", json=body, **given_) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def upload(self, content, purpose="batch", status=200):
        form = FormData()
        form.add_field("purpose", purpose)
        form.add_field("file", content, filename="in.jsonl", content_type="application/jsonl")
        async with self._http.post("/v1/files", data=form) as answer:
            assert answer.status == status
            return await answer.json()

    async def submit(self, content, status=200, **changes):
        file = await self.upload(content)
        body = {"input_file_id": file["id"], "endpoint": URL, "completion_window": "24h"}
        return await self.post("batches", body | changes, status)

    async def file(self, name, status=200):
        async with self._http.get(f"/v1/files/{name}/content") as answer:
            assert answer.status == status
            return await answer.read()

    async def told(self, name):
        return [json.loads(line) for line in (await self.file(name)).splitlines()]

    async def delete(self, name, status=200):
        async with self._http.delete(f"/v1/files/{name}") as answer:
            assert answer.status == status
            return await answer.json()


@pytest.fixture
def serve():
    def run(steps, **batching):
        async def answer_one(body):
            if body["said"].startswith("bad"):
                return 400, {"error": {"message": "no"}}
            return 200, {"id": "c", "choices": [], "said": body["said"]}

        async def whole():
            counts = {}
            app = web.Application(client_max_size=1000)  # an upload may be longer than a question
            add_routes(app, answer_one, batching=Batching(**batching), counts=counts)
            async with TestClient(TestServer(app)) as http:
                return await steps(Client(http, counts))

        return asyncio.run(whole())

    return run


def test_a_batch_is_answered_at_the_look_that_ends_it(serve):
    async def steps(client):
        batch = await client.submit(lines("a", "b", "bad", "c"), metadata={"mine": "yes"})
        assert (batch["status"], batch["metadata"], batch["output_file_id"]) == ("validating", {"mine": "yes"}, None)
        assert (await client.get(f"batches/{batch['id']}"))["status"] == "in_progress"
        done = await client.get(f"batches/{batch['id']}")
        assert done["status"] == "completed"
        assert done["request_counts"] == {"total": 4, "completed": 3, "failed": 1}
        answers = await client.told(done["output_file_id"])
        assert [(one["custom_id"], one["response"]["status_code"]) for one in answers] == [
            ("a", 200),
            ("b", 200),
            ("c", 200),
        ]
        assert answers[1]["response"]["body"]["said"] == "b"
        (error,) = await client.told(done["error_file_id"])
        assert (error["custom_id"], error["response"]["status_code"]) == ("bad", 400)
        assert await client.get(f"batches/{batch['id']}") == done
        assert client.counts == {"files": 1, "batches": 1, "batch_polls": 3, "batch_lines": 4}

    serve(steps, after_polls=2)


def test_a_share_of_lines_fails_the_same_way_each_time_and_not_for_ever(serve):
    keys = [f"k{n}" for n in range(200)]

    async def steps(client):
        seen = []
        for _ in range(2):
            batch = await client.submit(lines(*keys))
            done = await client.get(f"batches/{batch['id']}")
            seen.append({one["custom_id"] for one in await client.told(done["error_file_id"])})
        return seen

    first, second = serve(steps, failing=0.2, seed=3)
    assert 20 < len(first) < 60
    assert first != second
    assert serve(steps, failing=0.2, seed=3) == [first, second]
    assert serve(steps, failing=0.2, seed=4)[0] != first


def test_a_batch_expires_with_a_part_of_its_lines_answered(serve):
    async def steps(client):
        batch = await client.submit(lines("a", "b", "c", "d"))
        await client.get(f"batches/{batch['id']}")
        done = await client.get(f"batches/{batch['id']}")
        assert done["status"] == "expired"
        assert [one["custom_id"] for one in await client.told(done["output_file_id"])] == ["a", "b"]
        late = await client.told(done["error_file_id"])
        assert [(one["custom_id"], one["error"]["code"]) for one in late] == [
            ("c", "batch_expired"),
            ("d", "batch_expired"),
        ]

    serve(steps, after_polls=4, expires_at=2)


def test_a_batch_can_be_cancelled_until_it_has_ended(serve):
    async def steps(client):
        batch = await client.submit(lines("a", "b"))
        await client.get(f"batches/{batch['id']}")
        assert (await client.post(f"batches/{batch['id']}/cancel"))["status"] == "cancelling"
        done = await client.get(f"batches/{batch['id']}")
        assert done["status"] == "cancelled"
        assert [one["custom_id"] for one in await client.told(done["output_file_id"])] == ["a"]
        await client.post(f"batches/{batch['id']}/cancel", status=409)
        await client.post("batches/nobody/cancel", status=404)

    serve(steps, after_polls=2)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (lines("a") + b"{\n", 2),
        (lines("a", "a"), 2),
        (lines("a", url="/v1/other"), 1),
        (lines("a", method="GET"), 1),
        (lines("a", body="x"), 1),
        (lines(""), 1),
        (b"[]\n", 1),
        (b"", None),
    ],
)
def test_a_bad_input_file_fails_the_whole_batch_with_its_line(serve, content, line):
    async def steps(client):
        batch = await client.submit(content)
        assert batch["status"] == "validating"
        done = await client.get(f"batches/{batch['id']}")
        assert done["status"] == "failed"
        assert [one["line"] for one in done["errors"]["data"]] == [line]
        assert done["errors"]["data"][0]["message"]
        assert client.counts["batch_lines"] == 0

    serve(steps)


def test_every_batch_fails_where_that_was_asked_for(serve):
    async def steps(client):
        batch = await client.submit(lines("a"))
        assert (await client.get(f"batches/{batch['id']}"))["errors"]["data"][0]["code"] == "rejected"

    serve(steps, rejected=True)


@pytest.mark.parametrize(
    "changes",
    [{"endpoint": "/v1/x"}, {"completion_window": "1h"}, {"input_file_id": "nobody"}, {"metadata": {"a": 1}}],
)
def test_a_batch_that_is_not_described_right_is_refused(serve, changes):
    async def steps(client):
        refused = await client.submit(lines("a"), status=400, **changes)
        assert refused["error"]["type"] == "invalid_request_error"
        assert client.counts["batches"] == 0

    serve(steps)


def test_lists_go_by_pages_newest_first(serve):
    async def steps(client):
        made = [(await client.submit(lines("a")))["id"] for _ in range(5)]
        first = await client.get("batches", limit=2)
        assert [one["id"] for one in first["data"]] == [made[4], made[3]]
        assert first["has_more"]
        last = await client.get("batches", limit=3, after=first["last_id"])
        assert [one["id"] for one in last["data"]] == made[2::-1]
        assert not last["has_more"]
        assert len((await client.get("files", purpose="batch"))["data"]) == 5
        assert (await client.get("files", purpose="other"))["data"] == []

    serve(steps)


def test_batches_are_not_listed_and_files_not_given_back_where_that_was_asked_for(serve):
    async def steps(client):
        batch = await client.submit(lines("a"))
        await client.get("batches", status=404)
        await client.file(batch["input_file_id"], status=400)
        done = await client.get(f"batches/{batch['id']}")
        assert len(await client.told(done["output_file_id"])) == 1

    serve(steps, unlisted=True, write_only=True)


def test_a_file_is_kept_until_it_is_deleted(serve):
    async def steps(client):
        content = b"x" * 300_000 + b"\r\n--boundary\r\n"
        file = await client.upload(content)
        assert (file["bytes"], file["filename"]) == (len(content), "in.jsonl")
        assert await client.file(file["id"]) == content
        assert await client.get(f"files/{file['id']}") == file
        assert (await client.upload(content))["id"] != file["id"]
        assert (await client.delete(file["id"]))["deleted"]
        await client.delete(file["id"], status=404)
        await client.get(f"files/{file['id']}", status=404)
        await client.file(file["id"], status=404)

    serve(steps)


def test_what_is_no_form_is_refused(serve):
    async def steps(client):
        for given_ in ({"data": b"{}"}, {"data": {"purpose": "batch"}}):
            async with client._http.post("/v1/files", **given_) as answer:
                assert answer.status == 400
        await client.upload(b"x", purpose="", status=400)
        async with client._http.post("/v1/batches", data=b"{") as answer:
            assert answer.status == 400
        await client.get("batches/nobody", status=404)

    serve(steps)


@given(st.binary(max_size=200) | st.lists(st.sampled_from([b"{}", b"[", lines("a"), lines("b"), b"\n"])).map(b"".join))
def test_any_input_file_is_lines_or_errors(content):
    read, errors = read_input(content)
    assert read or errors
    assert len({one["custom_id"] for one in read}) == len(read)
    assert all(error["message"] and error["code"] for error in errors)
