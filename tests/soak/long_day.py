"""24 hours at 600 requests a minute, with all that happens in a day."""

import asyncio
import gc
import sys
import time

import pytest

from tests.support.days import HOUR_S, Dated, Day, Ways, wall_clock
from vcgen.engine.config import Limits
from vcgen.engine.engine import Engine
from vcgen.engine.retry import ATTEMPTS
from vcgen.sim import Capacity, Latency, Outage, Scenario, ServerLimits, parse_faults, virtual_clock

RPM, ASKERS = 600, 200
DAY_S = 24 * HOUR_S
FAULTS = "429:0.005,500:0.004,502:0.001,reset:0.002,close:0.001,hang:0.0001"
CONDITIONS = Scenario(
    limits=ServerLimits(rpm=RPM),
    latency=Latency(0.5, 0.3, straggler_share=0.001),
    outages=[
        Outage(2.5 * HOUR_S, 2.5 * HOUR_S + 300, "refused"),
        Outage(10 * HOUR_S, 10 * HOUR_S + 400, "503"),
        Outage(13 * HOUR_S, 13 * HOUR_S + 240, "hang"),
        Outage(16 * HOUR_S, 16 * HOUR_S + 120, "refused"),
    ],
    capacity=[
        Capacity(3 * HOUR_S, 0.5),
        Capacity(9 * HOUR_S, 1),
        Capacity(14 * HOUR_S, 0.5),
        Capacity(20 * HOUR_S, 1),
    ],
)


def allowed() -> float:
    """How many requests the endpoint grants in the day."""
    moments = range(5, int(DAY_S), 10)
    open_at = [at for at in moments if CONDITIONS.outage_at(at) is None]
    return sum(RPM / 6 * CONDITIONS.capacity_at(at) for at in open_at)


async def blocks_in_use_at(hour: float) -> int:
    await asyncio.sleep(hour * HOUR_S)
    gc.collect()
    return sys.getallocatedblocks()


@pytest.mark.timeout(600)
def test_a_day_loses_nothing_keeps_to_the_limit_is_fair_and_uses_what_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vcgen.engine.rate_headers.datetime", wall_clock(stepped_every_s=HOUR_S))
    simulator = Dated(CONDITIONS, seed=1, faults=parse_faults(FAULTS))
    ways = Ways([simulator])
    engine = Engine(ways.endpoints, limits=Limits(rpm=RPM), transport=ways, timeout_s=30)
    day = Day(engine, ways)

    async def main() -> tuple[int, int]:
        async with asyncio.TaskGroup() as group:
            early, late = (group.create_task(blocks_in_use_at(hour)) for hour in (2, 23.5))
            await day.spend(DAY_S, ASKERS)
        return early.result(), late.result()

    began, began_cpu = time.perf_counter(), time.process_time()
    with virtual_clock() as runner:
        early, late = runner.run(main())
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
    counters, [watch] = engine.counters, ways.watches
    use = day.answered / allowed()
    print(
        f"\n{day.asked:,} requests asked, {day.rejected} rejected, {counters.requests:,} sent, "
        f"{1 - day.answered / counters.requests:.2%} of them wasted, {use:.3f} of {allowed():,.0f} "
        f"used\nmost in a minute {watch.sent.most}, {watch.above:.3f} of what was announced; "
        f"longest {day.longest_s:.0f} s, passed by {day.passed_by} at most\n"
        f"{late - early:+,} blocks of memory from hour 2 to 23.5; "
        f"{seconds:.0f} s, {cpu_s:.0f} s of them computing"
    )
    # Every request had one end, and both sides have counted the same.
    assert day.asked == day.answered + day.rejected
    assert counters.completions == day.answered
    assert counters.requests == simulator.requests == day.asked + counters.retries
    assert engine.in_flight == 0
    assert not ways.turns
    # A request has six attempts, and few are lost to all six.
    assert day.rejected < day.asked / 10_000
    # Never above the limit, nor above what the last reply had announced.
    assert watch.sent.most <= 1.02 * RPM
    assert watch.above <= 1.02
    # First come, first served; who has to be sent again waits for the others once an attempt.
    assert ways.overtaken == 0
    assert day.passed_by <= ATTEMPTS * ASKERS
    assert use >= 0.9
    assert late - early < day.asked / 10
