"""Outages and changes of capacity, and conditions that cannot be."""

import math
import re
from collections.abc import Callable
from typing import Any

import anyio
import orjson
import pytest

from tests.support.common import run
from vcgen.errors import ConnectFailed, TimedOut, UsageError
from vcgen.sim import (
    Capacity,
    Latency,
    Outage,
    Scenario,
    ServerLimits,
    SimReply,
    SimTransport,
    Simulator,
)

BODY = orjson.dumps({"model": "sim", "messages": [{"role": "user", "content": "Hello."}]})


def answers(simulator: Simulator, *times: float) -> list[SimReply]:
    return [simulator.answer({}, BODY, now) for now in times]


@pytest.mark.parametrize(
    ("kind", "error", "took_s"), [("refused", ConnectFailed, 0.05), ("hang", TimedOut, 5.0)]
)
def test_an_outage_breaks_connections_from_its_beginning_to_its_end(
    kind: Any, error: type[Exception], took_s: float
) -> None:
    transport = SimTransport(Simulator(Scenario(outages=(Outage(60, 180, kind),))))

    async def post() -> int:
        return (await transport.post("http://sim", {}, BODY, 5.0)).status

    async def main() -> None:
        assert await post() == 200
        await anyio.sleep(60)
        for _ in range(2):
            sent_at = anyio.current_time()
            with pytest.raises(error):
                await post()
            assert anyio.current_time() - sent_at == pytest.approx(took_s, abs=1e-3)
            await anyio.sleep(110)
        assert anyio.current_time() > 180
        assert await post() == 200

    run(main)


def test_an_outage_of_503s_says_nothing_of_limits_and_takes_none_of_them() -> None:
    conditions = Scenario(limits=ServerLimits(rpm=1), outages=[Outage(0, 5, "503")])
    simulator = Simulator(conditions, log_arrivals=True)
    out, *later = answers(simulator, 4.9, 5, 6)
    assert out.status == 503
    assert set(out.headers) == {"content-type", "x-request-id"}
    assert [answer.status for answer in later] == [200, 429]
    assert simulator.faults_met == {"503": 1}
    assert simulator.arrivals is not None
    assert simulator.arrivals[0] == (4.9, 0, 503)


@pytest.mark.parametrize("kind", ["sliding", "fixed", "bucket", "strict"])
def test_capacity_changes_every_limit_by_the_clock(kind: Any) -> None:
    limits = ServerLimits(rpm=60, tpm=100_000, kind=kind, burst_s=1.0)
    changes = [Capacity(660, 2.0), Capacity(300, 0.5), Capacity(480, 1.0)]
    simulator = Simulator(Scenario(limits=limits, capacity=changes))
    granted, told = [], {}
    for tick in range(900 * 4):
        answer = simulator.answer({}, BODY, tick / 4)
        granted += [tick / 4] if answer.status == 200 else []
        told[tick / 4] = answer.headers["x-ratelimit-limit-tokens"]
    for began, ended, per_minute in [
        (60, 300, 60),
        (360, 480, 30),
        (540, 660, 60),
        (720, 900, 120),
    ]:
        count = sum(began <= now < ended for now in granted)
        assert count == pytest.approx(per_minute * (ended - began) / 60, abs=1)
    assert (told[299], told[300], told[480], told[660]) == ("100000", "50000", "100000", "200000")


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: ServerLimits(input_tpm=0), "input_tpm is 0"),
    (lambda: ServerLimits(burst_s=-1), "burst_s is -1"),
    (lambda: ServerLimits(refusal_s=math.nan), "refusal_s is nan"),
    (lambda: Latency(1, sigma=-1), "sigma is -1"),
    (lambda: Latency(1, straggler_share=2), "straggler_share is 2"),
    (lambda: Latency(1, straggler_times=math.inf), "straggler_times is inf"),
    (lambda: Capacity(0, 0), "capacity is 0"),
    (lambda: Scenario(slots=0), "slots is 0"),
    (lambda: Scenario(prefix_blocks=0), "prefix_blocks is 0"),
    (lambda: ServerLimits(kind="leaky"), "kind is 'leaky'"),  # type: ignore[arg-type]
    (lambda: ServerLimits(headers="azure"), "headers is 'azure'"),  # type: ignore[arg-type]
    (lambda: Outage(0, 1, "flood"), "outage is 'flood'"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("make", "words"), WRONG, ids=[words for _, words in WRONG])
def test_impossible_conditions_are_named(make: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        make()
