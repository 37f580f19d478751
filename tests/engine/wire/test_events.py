"""A reply in events is the reply it would have been; real servers spell events in several ways."""

import orjson
import pytest

from vcgen.engine.chat import Completion, Failure, FailureKind, Usage
from vcgen.engine.wire.completions import decode

STREAM = {"content-type": "text/event-stream; charset=utf-8"}
CHUNKS = [
    {"model": "m-1", "choices": [{"delta": {"role": "assistant", "content": ""}}]},
    {"choices": [{"delta": {"reasoning_content": "Hm."}, "finish_reason": None}]},
    {"choices": [{"delta": {"content": "Yes, "}}]},
    {"choices": [{"delta": {"content": "it is."}}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}},
]


def stream(chunks: list[object], end: str = "\n\n") -> bytes:
    lines = [f"data: {orjson.dumps(chunk).decode()}{end}" for chunk in chunks]
    return ("".join(lines) + f"data: [DONE]{end}").encode()


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n"])
@pytest.mark.parametrize("headers", [STREAM, {}])
@pytest.mark.parametrize("before", [b"", b": keep-alive\n\n", b"event: message\nid: 1\n"])
def test_events_are_merged(end: str, headers: dict[str, str], before: bytes) -> None:
    assert decode(200, headers, before + stream([*CHUNKS], end)) == Completion(
        text="Yes, it is.", model="m-1", reasoning="Hm.", usage=Usage(9, 2)
    )


def test_events_that_end_early_are_a_broken_off_reply() -> None:
    found = decode(200, STREAM, stream([*CHUNKS[:3]]))
    assert isinstance(found, Failure)
    assert found.kind is FailureKind.INVALID_REPLY


def test_an_error_among_the_events_is_that_error() -> None:
    error = {"error": {"code": 429, "message": "Slow down."}}
    found = decode(200, STREAM, stream([*CHUNKS[:3], error]))
    assert isinstance(found, Failure)
    assert (found.status, found.message) == (429, "Slow down.")


@pytest.mark.parametrize("body", [b"data: {", b"data: []\n\n", b"data: 1\n\n", b"data:"])
def test_what_is_no_event_is_an_invalid_reply(body: bytes) -> None:
    assert isinstance(decode(200, STREAM, body), Failure)
