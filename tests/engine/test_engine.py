"""One call, whatever it takes: retried, stepped down, stopped; the key nowhere to be seen."""

from collections.abc import AsyncIterator, Iterable, Mapping
from itertools import pairwise
from typing import Any

import anyio
import orjson
import pytest
from pydantic import SecretStr

from tests.support.canary import KEY
from tests.support.common import completion, run
from vcgen.engine.budget import Budget
from vcgen.engine.chat import ChatRequest, Message, Schema
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine, MapResult, default_transport
from vcgen.engine.limits.limiter import NEVER_REACHED_S, OUT_OF_REACH_S
from vcgen.engine.limits.queue import Affinity
from vcgen.engine.pool import BUFFERED
from vcgen.engine.retry import (
    ATTEMPTS,
    REACH_AGAIN_S,
    STARVED_AGAIN_S,
    FailureReason,
)
from vcgen.engine.transport.asyncio_http import HttpTransport
from vcgen.engine.transport.base import Reply
from vcgen.engine.transport.httpx_client import HttpxTransport
from vcgen.errors import (
    BadCertificate,
    BudgetSpent,
    ConnectFailed,
    ConnectionLost,
    LocalError,
    RequestFailed,
    RunStopped,
    StaleConnection,
    UsageError,
)
from vcgen.sim import SimTransport, Simulator, parse_faults

HELLO = ChatRequest(messages=(Message("user", "Say hello in JSON."),))
STRICT = ChatRequest(
    messages=HELLO.messages,
    schema=Schema("greeting", {"type": "object", "properties": {"text": {"type": "string"}}}),
)
SIM = Endpoint(model="sim")
Event = Reply | Exception


class Script:
    """Plays events in turn and the last one for ever; notes what was sent, and when."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.times: list[float] = []
        self.headers: Mapping[str, str] = {}
        self._events = list(events)

    async def post(
        self,
        url: str,  # noqa: ARG002 - the script does not look
        headers: Mapping[str, str],
        body: bytes,  # noqa: ARG002 - as above
        timeout_s: float,  # noqa: ARG002 - as above
    ) -> Reply:
        self.times.append(anyio.current_time())
        self.headers = headers
        event = self._events.pop(0) if len(self._events) > 1 else self._events[0]
        if isinstance(event, Exception):
            raise event
        return event

    async def aclose(self) -> None:
        """Nothing is open."""


def error(status: int, code: str = "", message: str = "said", **headers: str) -> Reply:
    body = orjson.dumps({"error": {"code": code, "message": message}})
    return Reply(status, {name.replace("_", "-"): text for name, text in headers.items()}, body)


def play(*events: Event, request: ChatRequest = HELLO) -> tuple[Any, Script, Engine]:
    """What a request comes to over these events: its completion or the error it raised."""
    script = Script(events)
    engine = Engine(SIM, transport=script)
    ended: list[Any] = []

    async def main() -> None:
        try:
            ended.append(await engine.complete(request))
        except (RequestFailed, RunStopped) as raised:
            ended.append(raised)

    run(main)
    assert engine.in_flight == 0
    return ended[0], script, engine


def test_an_answer_counts_its_requests_and_their_usage() -> None:
    answer, _, engine = play(error(500), ConnectionLost("gone"), completion("Hello."))
    assert (answer.text, answer.attempts) == ("Hello.", 3)
    counters = engine.counters
    assert (counters.requests, counters.retries, counters.completions) == (3, 2, 1)
    assert counters.usage.prompt_tokens == 10


def test_attempts_end_in_a_reject_with_the_last_word() -> None:
    ended, script, _ = play(error(500, message="over capacity"))
    assert isinstance(ended, RequestFailed)
    assert (ended.reason, ended.message, ended.attempts) == (
        FailureReason.SERVER_ERROR,
        "over capacity",
        len(script.times),
    )


def test_throttles_cost_no_attempt() -> None:
    answer, script, engine = play(*[error(429, retry_after="2")] * 40, completion("Late."))
    assert answer.text == "Late."
    assert engine.counters.throttled == 40
    gaps = [after - before for before, after in pairwise(script.times)]
    assert min(gaps) >= 2


@pytest.mark.parametrize(
    "reply", [error(401), error(404, "model_not_found"), error(429, "insufficient_quota")]
)
def test_a_hopeless_reply_stops_everybody(reply: Reply) -> None:
    script = Script([reply])
    engine = Engine(SIM, transport=script, limits=Limits(concurrency=2))
    stopped: list[RunStopped] = []

    async def one() -> None:
        with pytest.raises(RunStopped) as raised:
            await engine.complete(HELLO)
        stopped.append(raised.value)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(one)

    run(main)
    assert len(stopped) == 20
    assert len(script.times) <= 2


def test_endpoint_never_reached_stops_the_run() -> None:
    ended, script, _ = play(ConnectFailed("Connection refused"))
    assert isinstance(ended, RunStopped)
    assert "Connection refused" in str(ended)
    assert NEVER_REACHED_S <= script.times[-1] <= NEVER_REACHED_S + REACH_AGAIN_S


def test_bad_certificate_stops_the_run_at_once() -> None:
    """Before any answer, and in the middle of a run: a person has to mend it."""
    bad = BadCertificate("certificate verify failed: certificate has expired")
    for events in ([bad], [error(500), bad]):
        ended, script, _ = play(*events)
        assert isinstance(ended, RunStopped)
        assert "certificate has expired" in str(ended)
        assert len(script.times) == len(events)


def test_stale_connection_is_followed_at_once() -> None:
    answer, script, engine = play(StaleConnection("closed"), completion("Hello."))
    assert (answer.text, answer.attempts) == ("Hello.", 2)
    assert script.times == pytest.approx([0.0, 0.0], abs=0.01)
    assert (engine.counters.requests, engine.counters.retries) == (2, 1)


def test_stale_connections_without_end_are_a_failure() -> None:
    ended, script, _ = play(StaleConnection("closed"))
    assert isinstance(ended, RequestFailed)
    assert len(script.times) == ATTEMPTS + 1


def test_want_of_descriptors_is_no_outage_and_stops_where_it_lasts() -> None:
    full = LocalError("Too many open files: this process may open 64 files (ulimit -n)")
    answer, script, _ = play(*[full] * 10, completion("Hello."))
    assert answer.text == "Hello."
    assert script.times == pytest.approx([at * STARVED_AGAIN_S for at in range(11)], abs=0.01)
    ended, script, _ = play(full)
    assert isinstance(ended, RunStopped)
    assert "may open 64 files (ulimit -n)" in str(ended)
    assert script.times[-1] == pytest.approx(NEVER_REACHED_S, abs=0.01)


def test_an_endpoint_that_only_throttles_stops_the_run_later() -> None:
    ended, script, _ = play(error(429))
    assert isinstance(ended, RunStopped)
    assert OUT_OF_REACH_S <= script.times[-1] - script.times[0] < OUT_OF_REACH_S + 31


def test_time_in_which_nothing_was_asked_is_no_outage() -> None:
    script = Script([error(429), completion("One."), error(429), completion("Two.")])
    engine = Engine(SIM, transport=script)

    async def main() -> None:
        await engine.complete(HELLO)
        await anyio.sleep(10 * OUT_OF_REACH_S)
        assert (await engine.complete(HELLO)).text == "Two."

    run(main)


def test_a_cancelled_call_leaves_nothing_in_flight() -> None:
    engine = Engine(SIM, transport=SimTransport(Simulator(latency_s=50)))

    async def main() -> None:
        with anyio.move_on_after(5):
            await engine.complete(HELLO)
        assert engine.in_flight == 0
        assert (await engine.complete(HELLO)).text

    run(main)


def test_stop_ends_who_waits_and_spares_who_is_in_flight() -> None:
    engine = Engine(
        SIM,
        transport=SimTransport(Simulator(latency_s=5)),
        limits=Limits(concurrency=1),
    )
    ended: list[object] = []

    async def one() -> None:
        try:
            ended.append((await engine.complete(HELLO)).text)
        except RunStopped as reason:
            ended.append(str(reason))

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(one)
            await anyio.sleep(1)
            engine.stop(RunStopped("enough"))

    run(main)
    assert ended[:2] == ["enough", "enough"]
    assert ended[2] != "enough"


def test_bad_request_after_a_proven_format_is_no_downgrade() -> None:
    script = Script([completion("{}"), error(400, "context_length_exceeded")])
    engine = Engine(SIM, transport=script)

    async def main() -> None:
        await engine.complete(STRICT)
        with pytest.raises(RequestFailed):
            await engine.complete(STRICT)

    run(main)
    assert len(script.times) == 2


@pytest.mark.parametrize("where", ["error", "exception"])
def test_the_key_is_repeated_by_no_message_and_no_repr(where: str) -> None:
    said = f"no key {KEY} here"
    event: Event = error(401, message=said) if where == "error" else ConnectFailed(said)
    script = Script([event])
    endpoint = Endpoint(model="m", key=SecretStr(KEY))
    engine = Engine(endpoint, transport=script)

    async def main() -> None:
        with pytest.raises(RunStopped) as raised:
            await engine.complete(HELLO)
        assert KEY not in repr(raised.value)
        assert "(the key)" in str(raised.value)

    run(main)
    assert script.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(engine) + repr(endpoint) + str(endpoint)


def test_a_deadline_that_is_none_is_wrong_use() -> None:
    for timeout_s in (0, -1, float("inf"), float("nan")):
        with pytest.raises(UsageError):
            Engine(SIM, timeout_s=timeout_s)


def test_stop_ends_the_wait_before_a_retry() -> None:
    engine = Engine(SIM, transport=Script([error(500, retry_after="500")]))

    async def stop_later() -> None:
        await anyio.sleep(3)
        engine.stop(RunStopped("enough"))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(stop_later)
            with pytest.raises(RunStopped, match="enough"):
                await engine.complete(HELLO)
        assert 3 <= anyio.current_time() < 4

    run(main)


@pytest.mark.parametrize("rpm", [None, 30])
def test_a_paused_engine_sends_nothing_and_loses_nothing(rpm: int | None) -> None:
    """Neither from free slots, nor the request that waits for its payment."""

    async def main() -> None:
        simulator = Simulator(latency_s=1.0)
        engine = Engine(
            SIM, transport=SimTransport(simulator), limits=Limits(concurrency=2, rpm=rpm)
        )
        answers = []

        async def ask() -> None:
            answers.append(await engine.complete(HELLO))

        async with anyio.create_task_group() as group:
            for _ in range(9):
                group.start_soon(ask)
            await anyio.sleep(2.5)
            engine.pause()
            sent = simulator.requests
            await anyio.sleep(3600)
            assert simulator.requests == sent == len(answers) < 9
            group.start_soon(ask)
            await anyio.sleep(3600)
            assert simulator.requests == sent
            engine.resume()
        assert simulator.requests == len(answers) == 10
        assert engine.counters.requests == 10
        assert engine.in_flight == 0

    run(main)


def test_a_stop_ends_calls_that_a_pause_holds() -> None:
    async def main() -> None:
        engine = Engine(SIM, transport=SimTransport(Simulator()))
        engine.pause()
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                with pytest.raises(RunStopped, match="enough"):
                    await engine.complete(HELLO)

            group.start_soon(ask)
            await anyio.sleep(60)
            engine.resume()
            engine.stop(RunStopped("enough"))
        assert engine.counters.requests == 0

    run(main)


def test_default_transport_follows_the_endpoints() -> None:
    plain, proxied = Endpoint(model="m"), Endpoint(model="m", use_env_proxy=True)
    assert isinstance(default_transport([plain]), HttpTransport)
    assert isinstance(default_transport([proxied]), HttpxTransport)
    with pytest.raises(UsageError, match="the same for each endpoint"):
        default_transport([plain, proxied])


def test_engine_without_an_endpoint_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="at least one endpoint"):
        Engine([])


def test_engine_stops_at_the_budgets_time() -> None:
    async def main() -> None:
        transport = SimTransport(Simulator(latency_s=1.0))
        async with Engine(SIM, transport=transport, budget=Budget(seconds=3.5)) as engine:
            for _ in range(4):
                await engine.complete(HELLO)
            with pytest.raises(BudgetSpent, match="time limit"):
                await engine.complete(HELLO)

    run(main)


def test_closed_engine_leaves_no_timer_of_its_budget() -> None:
    async def main() -> None:
        transport = SimTransport(Simulator())
        async with Engine(SIM, transport=transport, budget=Budget(seconds=5.0)) as engine:
            await engine.complete(HELLO)
        await anyio.sleep(10)
        assert (await engine.complete(HELLO)).text  # not stopped by a late timer

    run(main)


def test_affinity_prefers_the_endpoint_that_answered() -> None:
    async def main() -> None:
        endpoints = [Endpoint(model="sim", base_url=f"http://server-{at}/v1") for at in "ab"]
        engine = Engine(endpoints, transport=SimTransport(Simulator(latency_s=1.0)))
        affinity = Affinity()
        await engine.complete(HELLO, affinity=affinity)
        chosen = affinity.preferred
        assert affinity.begun
        for _ in range(5):
            await engine.complete(HELLO, affinity=affinity)
            assert affinity.preferred is chosen

    run(main)


def test_map_answers_each_prompt_once_and_gives_errors() -> None:
    results: list[MapResult[str]] = []

    async def main() -> None:
        simulator = Simulator(latency_s=1.0, faults=parse_faults("quota:0,500:0.3"))
        engine = Engine(SIM, transport=SimTransport(simulator), limits=Limits(concurrency=8))
        results.extend([result async for result in engine.map(f"Say {n}." for n in range(200))])

    run(main)
    assert sorted(result.request for result in results) == sorted(f"Say {n}." for n in range(200))
    assert all((result.completion is None) != (result.error is None) for result in results)


def test_map_reads_an_endless_input_no_further_than_it_sends() -> None:
    pulled = 0

    async def prompts() -> AsyncIterator[str]:
        nonlocal pulled
        while True:
            pulled += 1
            yield f"Say {pulled}."

    async def main() -> None:
        transport = SimTransport(Simulator(latency_s=1.0))
        engine = Engine(SIM, transport=transport, limits=Limits(concurrency=4))
        results = engine.map(prompts())
        for answered in range(1, 50):
            assert (await anext(results)).completion
            assert pulled <= answered + 4 + BUFFERED
        await results.aclose()
        assert engine.in_flight == 0

    run(main)


def test_map_raises_a_stop_after_the_results_before_it() -> None:
    async def main() -> None:
        transport = SimTransport(Simulator(latency_s=1.0))
        limits, budget = Limits(concurrency=4), Budget(requests=10)
        engine = Engine(SIM, transport=transport, limits=limits, budget=budget)
        results = engine.map(f"Say {n}." for n in range(100))
        for _ in range(10):
            assert (await anext(results)).completion
        with pytest.raises(BudgetSpent):
            await anext(results)

    run(main)
