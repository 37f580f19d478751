"""The wire format: what is sent, what counts as a completion, and what a failure says."""

from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

from vcgen.engine.chat import ChatRequest, Completion, Failure, FailureKind, Message, Schema, Usage
from vcgen.engine.config import Capabilities, Structured
from vcgen.engine.wire.completions import Form, decode, encode

REQUEST = ChatRequest(
    messages=(Message("system", "Be brief."), Message("user", "Reply in JSON.")),
    max_tokens=77,
    schema=Schema("answer", {"type": "object"}),
)
WHOLE: dict[str, Any] = {
    "model": "m-1",
    "choices": [{"message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 4},
    },
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "error", "code", "usage", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
headers = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "date", "content-type", "x-should-retry"]),
    st.text(max_size=30),
)


def sent(request: ChatRequest, capabilities: Capabilities) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(encode(request, Form("m", capabilities)))
    return body


def received(status: int, body: Any, **header: str) -> Completion | Failure:
    return decode(status, {name.replace("_", "-"): text for name, text in header.items()}, body)


def failure(status: int, body: Any, **header: str) -> Failure:
    found = received(status, body, **header)
    assert isinstance(found, Failure)
    return found


def choice(**changes: Any) -> bytes:
    return orjson.dumps({**WHOLE, "choices": [{**WHOLE["choices"][0], **changes}]})


def test_a_request_is_sent_in_the_words_of_the_api() -> None:
    body = sent(REQUEST, Capabilities())
    assert body["messages"][1] == {"role": "user", "content": "Reply in JSON."}
    assert body["max_tokens"] == 77
    assert body["response_format"]["json_schema"] == {
        "name": "answer",
        "strict": True,
        "schema": {"type": "object"},
    }
    assert "temperature" not in body


def test_capabilities_name_the_token_limit_and_the_format() -> None:
    body = sent(REQUEST, Capabilities(Structured.JSON_OBJECT, "max_completion_tokens"))
    assert body["response_format"] == {"type": "json_object"}
    assert body["max_completion_tokens"] == 77
    assert "max_tokens" not in body
    assert "response_format" not in sent(REQUEST, Capabilities(Structured.PROMPT))


def test_a_whole_reply_is_a_completion_with_its_usage() -> None:
    assert received(200, orjson.dumps(WHOLE)) == Completion(
        text="Yes.", model="m-1", finish_reason="stop", usage=Usage(9, 2, 4)
    )


def test_a_refusal_is_a_completion_without_text() -> None:
    body = choice(message={"content": None, "refusal": "I will not."})
    found = received(200, body)
    assert isinstance(found, Completion)
    assert (found.text, found.refusal) == ("", "I will not.")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Sign in</html>",
        b"\xef\xbb\xbf" + orjson.dumps(WHOLE),
        orjson.dumps(WHOLE)[:-40],
        orjson.dumps({**WHOLE, "choices": []}),
        orjson.dumps({**WHOLE, "choices": None}),
        choice(finish_reason=None),
        choice(finish_reason="error"),
        choice(finish_reason="abort"),
        choice(finish_reason="cancelled"),
        choice(finish_reason="network_error"),
        choice(finish_reason="tool_calls"),
        choice(message={"content": 0}),
        choice(message={"content": [0]}),
    ],
)
def test_what_is_not_a_whole_completion_is_an_invalid_response(body: bytes) -> None:
    found = failure(200, body, content_type="text/x")
    assert found.kind is FailureKind.INVALID_REPLY
    assert "text/x" in found.message


@pytest.mark.parametrize("beside", [{}, WHOLE], ids=["alone", "beside a completion"])
def test_an_error_with_status_200_is_that_error(beside: dict[str, Any]) -> None:
    error = {"code": "insufficient_quota", "message": "Pay."}
    found = failure(200, orjson.dumps({**beside, "error": error}))
    assert (found.status, found.code, found.message) == (200, "insufficient_quota", "Pay.")
    assert isinstance(received(200, orjson.dumps({**WHOLE, "error": None})), Completion)


@pytest.mark.parametrize(
    ("said", "means"),
    [
        *((said, "stop") for said in ("stop", "STOP", "end_turn", "eos", "eos_token", "", "Stop")),
        *(
            (said, "length")
            for said in (
                "length",
                "LENGTH",
                "model_length",
                "max_tokens",
                "MAX_TOKENS",
                "max_output_tokens",
                "model_context_window_exceeded",
            )
        ),
        *(
            (said, "content_filter")
            for said in (
                "content_filter",
                "content-filter",
                "content_filter: RECITATION",
                "SAFETY",
                "sensitive",
                "PROHIBITED_CONTENT",
                "BLOCKLIST",
                "SPII",
                "RECITATION",
            )
        ),
        *((said, None) for said in ("error", "abort", "cancelled", "network_error", "OTHER")),
    ],
)
def test_a_reply_is_whole_only_for_a_good_reason(said: str, means: str | None) -> None:
    found = received(200, choice(finish_reason=said))
    assert (found.finish_reason if isinstance(found, Completion) else None) == means


@pytest.mark.parametrize("message", [{}, {"content": None}, {"content": ""}, {"content": []}])
def test_a_reply_without_text_ends_by_its_finish_reason(message: dict[str, Any]) -> None:
    for said in ("length", "content_filter"):
        found = received(200, choice(message=message, finish_reason=said))
        assert isinstance(found, Completion)
        assert (found.text, found.finish_reason) == ("", said)


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        (
            {"content": [{"type": "text", "text": "Yes, "}, {"type": "text", "text": "it is."}]},
            "Yes, it is.",
            "",
        ),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                    {"type": "text", "text": "Yes."},
                ]
            },
            "Yes.",
            "Hm.",
        ),
        (
            {"content": [{"type": "reasoning", "summary": [{"text": "Hm."}]}, "Yes."]},
            "Yes.",
            "Hm.",
        ),
        ({"content": "Yes.", "reasoning_content": "Hm."}, "Yes.", "Hm."),
        ({"content": "Yes.", "reasoning": "Hm."}, "Yes.", "Hm."),
        ({"content": "Yes.", "reasoning": {"effort": "low"}}, "Yes.", ""),
    ],
)
def test_text_and_thinking_are_told_apart(
    message: dict[str, Any], text: str, reasoning: str
) -> None:
    found = received(200, choice(message=message))
    assert isinstance(found, Completion)
    assert (found.text, found.reasoning) == (text, reasoning)


@pytest.mark.parametrize("code", [429, "429", 502])
@pytest.mark.parametrize("is_in_choice", [False, True])
def test_a_status_within_a_reply_is_the_status(code: Any, *, is_in_choice: bool) -> None:
    error = {"code": code, "message": "Slow down."}
    body = choice(error=error) if is_in_choice else orjson.dumps({"error": error})
    found = failure(200, body)
    assert (found.status, found.message) == (int(code), "Slow down.")


def test_a_blocked_prompt_is_filtered() -> None:
    body = orjson.dumps({"choices": [], "promptFeedback": {"blockReason": "SAFETY"}})
    assert failure(200, body).code == "content_filter"
    assert failure(200, b'{"choices": []}').code == ""


@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
@pytest.mark.parametrize("count", [2**31, 2**63, 2**64 - 1, 2**70, -1, True, 2.5, "9", None, [1]])
def test_usage_that_cannot_be_is_unknown(name: str, count: Any) -> None:
    text = str(count).lower().replace("none", "null").encode()
    if isinstance(count, str):
        text = b'"' + text + b'"'
    known = str(WHOLE["usage"][name]).encode()
    quoted = name.encode()
    found = received(
        200, orjson.dumps(WHOLE).replace(b'"%b":%b' % (quoted, known), b'"%b":%b' % (quoted, text))
    )
    assert isinstance(found, Completion)
    assert found.usage == Usage()
    assert not found.usage.is_known


def test_tokens_that_only_the_total_counts_are_of_the_reply() -> None:
    """Thinking, at some endpoints."""
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 50}
    found = received(200, orjson.dumps({**WHOLE, "usage": usage}))
    assert isinstance(found, Completion)
    assert found.usage == Usage(9, 41)


def test_parts_of_the_usage_are_known() -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 7,
        "total_tokens": 16,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    found = received(200, orjson.dumps({**WHOLE, "usage": usage}))
    assert isinstance(found, Completion)
    assert found.usage == Usage(9, 7, 4, 3, 5)


@given(st.integers(100, 599), headers, st.binary(max_size=60) | json_values)
def test_decode_never_raises(status: int, given_headers: dict[str, str], value: Any) -> None:
    body = value if isinstance(value, bytes) else orjson.dumps(value)
    found = decode(status, given_headers, body)
    if isinstance(found, Failure):
        assert "\n" not in found.message
        assert found.retry_after_s is None or 0 <= found.retry_after_s < float("inf")


@given(
    st.none() | st.text() | json_values, st.none() | st.sampled_from(["stop", "length"]) | st.text()
)
def test_only_text_with_a_finish_reason_is_accepted(content: Any, finish_reason: Any) -> None:
    body = choice(message={"content": content}, finish_reason=finish_reason)
    accepted = isinstance(decode(200, {}, body), Completion)
    parsed = orjson.loads(body)["choices"][0]["message"]["content"]
    is_text = parsed is None or isinstance(parsed, str) or parsed == []
    assert accepted <= is_text
    assert accepted <= (finish_reason is not None)
