"""One call, whatever it takes: retried, stepped down, stopped."""

from collections.abc import Mapping
from itertools import pairwise

import anyio
import pytest

from tests.support.common import Watched, completion, run
from tests.support.script import HELLO, SIM, STRICT, Script, error, play
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.engine.limits.backoff import STARVED_AGAIN_S
from vcgen.engine.limits.limiter import NEVER_REACHED_S, OUT_OF_REACH_S
from vcgen.engine.retry import (
    ATTEMPTS,
    REACH_AGAIN_S,
    FailureReason,
)
from vcgen.engine.transport.base import Reply
from vcgen.errors import (
    BadCertificate,
    ConnectFailed,
    ConnectionLost,
    LocalError,
    RequestFailed,
    RunStopped,
    StaleConnection,
)
from vcgen.sim import Simulator


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


class OutOfPorts(Watched):
    """A transport that opens no connection to one host, and whose other replies take a second."""

    def __init__(self) -> None:
        super().__init__(Simulator(latency_s=1.0))
        self.tried_at: list[float] = []

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        if "full.test" not in url:
            return await super().post(url, headers, body, timeout_s)
        self.tried_at.append(anyio.current_time())
        await anyio.sleep(0.001)
        raise LocalError("Cannot assign requested address")


def test_an_endpoint_without_ports_is_tried_once_a_second_beside_a_busy_one() -> None:
    """Requests in flight at the other can free no port of this one."""
    transport, slots = OutOfPorts(), 4
    endpoints = [
        Endpoint(model="sim", base_url=f"https://{host}/v1", limits=Limits(concurrency=slots))
        for host in ("good.test", "full.test")
    ]

    async def main() -> None:
        async with Engine(endpoints, transport=transport) as engine:
            async for result in engine.map(f"Say {number}." for number in range(80)):
                assert result.completion is not None
        later = transport.tried_at[slots:]
        assert len(later) > 10
        gaps = [after - before for before, after in pairwise(later)]
        assert min(gaps) >= STARVED_AGAIN_S

    run(main)


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


def test_bad_request_after_a_proven_format_is_no_downgrade() -> None:
    script = Script([completion("{}"), error(400, "context_length_exceeded")])
    engine = Engine(SIM, transport=script)

    async def main() -> None:
        await engine.complete(STRICT)
        with pytest.raises(RequestFailed):
            await engine.complete(STRICT)

    run(main)
    assert len(script.times) == 2


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
