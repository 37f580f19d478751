"""The engine at simulated endpoints: what they understand is learned, what they allow found."""

from collections.abc import Mapping

import anyio
import orjson
import pytest
from hypothesis import given, settings, strategies as st

from tests.support.common import run
from vcgen.engine.chat import ChatRequest, Completion, Message, Schema
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.engine.retry import FailureReason
from vcgen.engine.transport.base import Reply
from vcgen.errors import RequestFailed
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
