"""The wire format: what is sent, what counts as a completion, and what a failure says."""

from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

from vcgen.engine.chat import (
    ChatRequest,
    Completion,
    Failure,
    FailureKind,
    Message,
    Schema,
    Usage,
    decode,
    encode,
)
from vcgen.engine.config import Capabilities, Structured

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
    body: dict[str, Any] = orjson.loads(encode(request, "m", capabilities))
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
        choice(message={}),
        choice(message={"content": 0}),
        choice(message={"content": []}),
        choice(message={"content": ["a"]}),
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


@pytest.mark.parametrize("said", ["length", "model_length", "max_tokens", "MAX_TOKENS"])
def test_cut_reply_has_finish_reason_length(said: str) -> None:
    found = received(200, choice(finish_reason=said))
    assert isinstance(found, Completion)
    assert found.finish_reason == "length"


@pytest.mark.parametrize("count", [2**31, 2**63, 2**64 - 1, 2**70, -1, True, 2.5, "9", None, [1]])
def test_a_count_of_tokens_that_can_be_none_counts_nothing(count: Any) -> None:
    text = str(count).lower().replace("none", "null").encode()
    if isinstance(count, str):
        text = b'"' + text + b'"'
    found = received(
        200, orjson.dumps(WHOLE).replace(b'"completion_tokens":2', b'"completion_tokens":' + text)
    )
    assert isinstance(found, Completion)
    assert found.usage == Usage(9, 0, 4)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"error": {"message": "No.", "type": "t", "code": "c"}}', "c", "No."),
        (
            b'{"error": {"message": "No.", "type": "NotFoundError", "code": 404}}',
            "NotFoundError",
            "No.",
        ),
        (b'{"object": "error", "message": "No.", "type": "NotFoundError"}', "NotFoundError", "No."),
        (b'{"error": "No."}', "", "No."),
        (b'{"error": {"type": "t"}}', "t", "t"),
        (b'{"detail": "Not Found"}', "", '\'{"detail": "Not Found"}\''),
        (b"two\nlines", "", "'two\\nlines'"),
        (b"", "", "empty"),
    ],
)
def test_an_error_keeps_its_code_and_one_line(body: bytes, code: str, message: str) -> None:
    found = failure(404, body)
    assert (found.code, found.message) == (code, message)


def test_an_error_nested_too_deeply_to_print_is_a_failure() -> None:
    assert failure(400, b'{"error":' + b"[" * 1010 + b"]" * 1010 + b"}").status == 400


def test_the_endpoint_says_whether_to_retry() -> None:
    assert failure(409, b"").should_retry is None
    assert failure(409, b"", x_should_retry="true").should_retry is True
    assert failure(409, b"", x_should_retry="false").should_retry is False


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
    assert accepted == ((parsed is None or isinstance(parsed, str)) and finish_reason is not None)


@pytest.mark.parametrize("count", [b"18446744073709551615", b"9223372036854775808", b"2e12", b"-5"])
def test_a_count_of_tokens_that_cannot_be_is_none(count: bytes) -> None:
    # Some of the largest that JSON can carry make a sum that it cannot.
    body = orjson.dumps(WHOLE).replace(b'"prompt_tokens":9', b'"prompt_tokens":' + count)
    decoded = received(200, body)
    assert isinstance(decoded, Completion)
    assert decoded.usage == Usage(0, 2, 4)


def test_prompt_may_be_text_or_messages_or_a_request() -> None:
    assert ChatRequest.of(REQUEST) is REQUEST
    assert ChatRequest.of("Hello.").messages == (Message("user", "Hello."),)
    assert ChatRequest.of([Message("system", "Be brief.")]).messages[0].role == "system"
