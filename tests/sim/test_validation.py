"""Requests that the simulated endpoint refuses, in the words of the real one."""

from typing import Any

import orjson
import pytest

from tests.support.simulated import post
from vcgen.engine.chat import Completion, Failure
from vcgen.sim import ServerCapabilities, Simulator

HELLO = [{"role": "user", "content": "Hello."}]


@pytest.mark.parametrize(
    ("request_body", "status", "code", "words"),
    [
        (b"{", 400, "invalid_request_error", "could not parse the JSON"),
        (b"[]", 400, "invalid_request_error", "could not parse the JSON"),
        ({"messages": HELLO}, 400, "invalid_request_error", "model parameter"),
        ({"model": "sim"}, 400, "missing_required_parameter", "'messages'"),
        ({"model": "sim", "messages": "hi"}, 400, "invalid_type", "got a string"),
        ({"model": "sim", "messages": []}, 400, "empty_array", "empty array"),
        ({"model": "sim", "messages": [3]}, 400, "invalid_type", "messages[0]"),
        ({"model": "sim", "messages": [{"role": "x"}]}, 400, "invalid_value", "'x'"),
        ({"model": "sim", "messages": [{"role": "user"}]}, 400, "invalid_type", "got null"),
        ({"model": "sim", "messages": HELLO, "max_tokens": 0}, 400, "integer_below_min_value", "0"),
        ({"model": "sim", "messages": HELLO, "max_tokens": "9"}, 400, "invalid_type", "max_tokens"),
        ({"model": "sim", "messages": HELLO, "stream": True}, 400, "unsupported_value", "stream"),
        ({"model": "sim", "messages": HELLO, "n": [2]}, 400, "unsupported_value", "[2]"),
        (
            {"model": "sim", "messages": HELLO, "response_format": {"type": ["text"]}},
            400,
            "invalid_value",
            "text",
        ),
        (
            {"model": "sim", "messages": HELLO, "response_format": {"type": "json_object"}},
            400,
            "invalid_request_error",
            "'json'",
        ),
        ({"model": "gpt-4", "messages": HELLO}, 404, "model_not_found", "`gpt-4`"),
    ],
)
def test_bad_requests_are_refused_as_the_real_endpoint_does(
    request_body: Any, status: int, code: str, words: str
) -> None:
    raw = request_body if isinstance(request_body, bytes) else orjson.dumps(request_body)
    reply = post(raw)
    assert isinstance(reply, Failure)
    assert (reply.status, reply.code) == (status, code)
    assert words in reply.message


def test_any_name_that_starts_with_sim_is_the_model() -> None:
    assert isinstance(post(orjson.dumps({"model": "sim-large", "messages": HELLO})), Completion)


def test_a_stand_in_for_any_model_still_says_that_it_is_simulated() -> None:
    body = orjson.dumps({"model": "gpt-4o-mini", "messages": HELLO})
    reply = post(body, Simulator(behaviour=ServerCapabilities(model="")))
    assert isinstance(reply, Completion)
    assert reply.model == "sim"


@pytest.mark.parametrize("refused", ["json_schema", "json_object", "max_tokens"])
def test_behaviour_refuses_what_it_does_not_know(refused: str) -> None:
    simulator = Simulator(behaviour=ServerCapabilities(**{refused: False}))  # type: ignore[arg-type]
    kind = {"type": refused, "json_schema": {"name": "x", "schema": {"type": "object"}}}
    body: dict[str, Any] = {"model": "sim", "messages": [{"role": "user", "content": "json"}]}
    body |= {"max_tokens": 9} if refused == "max_tokens" else {"response_format": kind}
    reply = post(orjson.dumps(body), simulator)
    assert isinstance(reply, Failure)
    assert reply.status == 400
    assert refused in reply.message
    assert isinstance(post(orjson.dumps(body)), Completion)
