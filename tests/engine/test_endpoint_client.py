"""The engine at simulated endpoints: what they understand is learned, what they allow found."""

from collections.abc import Mapping
from dataclasses import replace

import anyio
import orjson
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import SecretStr

from tests.support.common import run
from vcgen.engine.budget import Budget
from vcgen.engine.chat import ChatRequest, Completion, Message, Schema
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.engine.models import thinking_of
from vcgen.engine.retry import FailureReason
from vcgen.engine.transport.base import Reply
from vcgen.errors import BudgetSpent, RequestFailed
from vcgen.sim import ServerCapabilities, SimTransport, Simulator, parse_faults

HELLO = ChatRequest(messages=(Message("user", "Say hello in JSON."),))
STRICT = ChatRequest(
    messages=HELLO.messages,
    schema=Schema("greeting", {"type": "object", "properties": {"text": {"type": "string"}}}),
)
SIM = Endpoint(model="sim")


def many(
    engine: Engine, count: int, request: ChatRequest = HELLO, every_s: float = 0
) -> list[Completion]:
    answers: list[Completion] = []

    async def one() -> None:
        answers.append(await engine.complete(request))

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(count):
                tasks.start_soon(one)
                await anyio.sleep(every_s)

    run(main)
    return answers


FORMATS = [
    (ServerCapabilities(), 0, "json_schema"),
    (ServerCapabilities(json_schema=False), 1, "json_object"),
    (ServerCapabilities(json_schema=False, json_object=False), 2, None),
]


class Formats(SimTransport):
    """Notes the format each request asked for."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator)
        self.asked: list[str | None] = []

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        self.asked.append(orjson.loads(body).get("response_format", {}).get("type"))
        return await super().post(url, headers, body, timeout_s)


@pytest.mark.parametrize(("behaviour", "steps", "settled"), FORMATS)
def test_first_requests_step_down_and_later_ones_know(
    behaviour: ServerCapabilities, steps: int, settled: str | None
) -> None:
    transport = Formats(Simulator(behaviour=behaviour, latency_s=1))
    engine = Engine(SIM, transport=transport)
    # Some are still on their way when the first have learned what is understood.
    assert len(many(engine, 64, STRICT, every_s=0.03)) == 64
    assert len(transport.asked) <= 64 * (steps + 1)
    transport.asked.clear()
    many(engine, 5, STRICT)
    assert transport.asked == [settled] * 5


def test_a_format_that_was_chosen_is_not_given_up() -> None:
    transport = Formats(Simulator(behaviour=ServerCapabilities(json_schema=False)))
    engine = Engine(Endpoint(model="sim", json_mode="json_schema"), transport=transport)

    async def main() -> None:
        with pytest.raises(RequestFailed, match="not supported"):
            await engine.complete(STRICT)

    run(main)
    assert transport.asked == ["json_schema"]


def test_the_token_limits_other_name_is_learned() -> None:
    simulator = Simulator(behaviour=ServerCapabilities(max_tokens=False))
    endpoint = Endpoint(model="sim", base_url="http://localhost/v1")
    engine = Engine(endpoint, transport=SimTransport(simulator))
    assert len(many(engine, 1) + many(engine, 9)) == 10
    assert simulator.requests == 11


faults = st.sampled_from(["", "429:0.05", "429:0.2,500:0.05", "529:0.1,reset:0.05", "503:0.1"])


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([1, 1.05, 2, 5]), st.sampled_from([0.2, 2, 10]), faults)
def test_no_request_is_lost_whatever_the_limits_really_are(
    ratio: float, latency_s: float, kinds: str
) -> None:
    simulator = Simulator(rpm=120, latency_s=latency_s, faults=parse_faults(kinds))
    limits = Limits(rpm=int(120 * ratio), concurrency=64)
    engine = Engine(SIM, transport=SimTransport(simulator), limits=limits)
    assert len(many(engine, 300)) == 300


@pytest.mark.parametrize("latency_s", [0.2, 2.0])
def test_a_limit_half_of_the_given_one_is_found(latency_s: float) -> None:
    simulator = Simulator(rpm=600, latency_s=latency_s)
    engine = Engine(
        SIM, transport=SimTransport(simulator), limits=Limits(rpm=1200, concurrency=100)
    )
    assert len(many(engine, 3000)) == 3000
    assert engine.counters.throttled < 450


def test_request_larger_than_tpm_fails_and_the_rest_pass() -> None:
    engine = Engine(SIM, transport=SimTransport(Simulator(tpm=2000)))
    huge = ChatRequest(messages=(Message("user", "word " * 4000),))

    async def main() -> None:
        with pytest.raises(RequestFailed) as raised:
            await engine.complete(huge)
        assert raised.value.reason is FailureReason.PROMPT_TOO_LARGE
        assert (await engine.complete(HELLO)).text

    run(main)


class Objecting(SimTransport):
    """Refuses a field of the request with OpenAI's error; notes all bodies."""

    def __init__(self, field: str, *, is_named: bool = True) -> None:
        super().__init__(Simulator())
        self.bodies: list[dict[str, object]] = []
        self._field, self._is_named = field, is_named

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        request = orjson.loads(body)
        self.bodies.append(request)
        if self._field not in request:
            sent = orjson.dumps({**request, "model": "sim"})
            return await super().post(url, headers, sent, timeout_s)
        message = f"Unsupported parameter: '{self._field}' is not supported with this model."
        error = {"message": message, "code": "unsupported_parameter"}
        if self._is_named:
            error["param"] = self._field
        return Reply(400, {}, orjson.dumps({"error": error}))


LUNA = Endpoint(model="gpt-6-luna", base_url="http://127.0.0.1/v1")


@pytest.mark.parametrize("is_named", [True, False])
def test_an_effort_of_our_own_is_dropped_where_it_is_refused(*, is_named: bool) -> None:
    transport = Objecting("reasoning_effort", is_named=is_named)
    many(Engine(LUNA, transport=transport), 3, STRICT, every_s=1)
    assert [body.get("reasoning_effort") for body in transport.bodies] == ["none", *[None] * 3]
    assert all("response_format" in body for body in transport.bodies)


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("reasoning_effort", replace(STRICT, effort="high")),
        ("temperature", replace(STRICT, temperature=0.5)),
    ],
)
def test_what_the_caller_asked_for_is_not_dropped(field: str, asked: ChatRequest) -> None:
    transport = Objecting(field)
    with pytest.raises(ExceptionGroup) as caught:
        many(Engine(LUNA, transport=transport), 1, asked)
    assert isinstance(caught.value.exceptions[0], RequestFailed)
    assert len(transport.bodies) == 1


def test_thinking_has_room_of_its_own() -> None:
    transport = Objecting("none")
    engine = Engine(LUNA, transport=transport, budget=Budget(tokens=100_000))
    many(engine, 1, replace(HELLO, effort="high", max_tokens=100))
    assert transport.bodies[0]["reasoning_effort"] == "high"
    assert transport.bodies[0]["max_tokens"] == 100 + thinking_of("gpt-6-luna", "high").room_tokens
    with pytest.raises(ExceptionGroup) as caught:  # the most it can use is above the budget
        many(
            Engine(LUNA, transport=transport, budget=Budget(tokens=20_000)),
            1,
            replace(HELLO, effort="high", max_tokens=100),
        )
    assert isinstance(caught.value.exceptions[0], BudgetSpent)


def test_fields_and_headers_of_ones_own_are_sent_and_values_of_headers_are_hidden() -> None:
    secret = SecretStr("a-secret-of-the-gateway")
    endpoint = replace(SIM, body={"top_p": 0.9, "temperature": 1}, headers={"X-Key": secret})
    seen: list[Mapping[str, str]] = []

    class Repeating(SimTransport):
        async def post(
            self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
        ) -> Reply:
            del url, timeout_s
            seen.append({**headers, "body": body.decode()})
            message = f"No {headers['x-key']}."
            return Reply(400, {}, orjson.dumps({"error": {"message": message}}))

    with pytest.raises(ExceptionGroup) as caught:
        many(Engine(endpoint, transport=Repeating()), 1)
    assert str(caught.value.exceptions[0]) == "No (the key)."
    body = orjson.loads(seen[0]["body"])
    assert (body["top_p"], body["temperature"]) == (0.9, 1)
