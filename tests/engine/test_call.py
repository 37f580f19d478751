"""A call is encoded once for each endpoint and way of asking."""

from random import Random

import orjson

from tests.support.common import Scripted
from vcgen.engine.call import Call
from vcgen.engine.chat import ChatRequest, Message
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.endpoint_client import EndpointClient
from vcgen.engine.limits.limiter import EndpointLimiter
from vcgen.engine.limits.queue import Affinity

REQUEST = ChatRequest(messages=(Message("user", "Hello."),), max_tokens=7)


def client(model: str) -> EndpointClient:
    limiter = EndpointLimiter(Limits(), Random(0))  # noqa: S311 - jitter
    endpoint = Endpoint(model="m", base_url="http://127.0.0.1:9/v1", deployment=model)
    return EndpointClient(endpoint, limiter, Scripted([]), 10.0)


def test_body_is_kept_until_endpoint_or_capabilities_change() -> None:
    call, first, second = Call(REQUEST, Affinity()), client("one"), client("two")
    body = call.encoded(first)[0]
    assert call.encoded(first)[0] is body
    assert orjson.loads(call.encoded(second)[0])["model"] == "two"
    call.capabilities[first] = first.capabilities._replace(token_limit="max_completion_tokens")
    assert orjson.loads(call.encoded(first)[0])["max_completion_tokens"] == 7


def test_capabilities_of_a_call_are_those_of_the_client_at_first() -> None:
    call, first, second = Call(REQUEST, Affinity()), client("one"), client("two")
    changed = first.capabilities._replace(token_limit="max_completion_tokens")
    call.capabilities[first] = changed
    assert call.encoded(first)[1] == changed
    assert call.encoded(second)[1] == second.capabilities
