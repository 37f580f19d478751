"""The simulated endpoint as a whole: the same seed brings the same run."""

from dataclasses import replace
from typing import Any

import orjson

from tests.support.common import generate, make_clips
from vcgen.sim import (
    Arrival,
    Capacity,
    Latency,
    Outage,
    Scenario,
    ServerLimits,
    SimReply,
    SimTransport,
    Simulator,
    parse_faults,
)

BODY = orjson.dumps({"model": "sim", "messages": [{"role": "user", "content": "Hello."}]})


def answers(simulator: Simulator, *times: float) -> list[SimReply]:
    return [simulator.answer({}, BODY, now) for now in times]


def statuses(simulator: Simulator, *times: float) -> list[int]:
    return [answer.status for answer in answers(simulator, *times)]


def test_plain_arguments_stand_for_those_of_the_conditions() -> None:
    conditions = Scenario(limits=ServerLimits(rpm=5, kind="strict"), latency=Latency(9.0))
    simulator = Simulator(conditions, rpm=60, latency_s=1.0)
    assert statuses(simulator, 0, 0.5, 1) == [200, 429, 200]
    assert simulator.answer({}, BODY, 2.0).delay_s == 1.0


def test_the_same_seed_brings_the_same_run_byte_for_byte() -> None:
    conditions = Scenario(
        limits=ServerLimits(rpm=120, tpm=200_000, kind="bucket", burst_s=1.0, retry_after=False),
        latency=Latency(2.0, sigma=0.7, straggler_share=0.05),
        slots=3,
        prefix_blocks=1000,
        outages=[Outage(10, 20), Outage(30, 40, "503")],
        capacity=[Capacity(50, 0.5)],
    )

    def run_of(seed: int) -> tuple[list[Any], list[Arrival] | None]:
        faults = parse_faults("500:0.05,429:0.05,badjson:0.05")
        simulator = Simulator(conditions, seed=seed, faults=faults, log_arrivals=True)
        result = generate(make_clips(40), transport=SimTransport(simulator))
        # The one thing that is of the real clock.
        metas = [{**record.meta, "time": None} for record in result.records]
        told = zip(result.records, metas, strict=True)
        return [replace(record, meta=meta) for record, meta in told], simulator.arrivals

    first, again, other = map(run_of, (1, 1, 2))
    assert first == again
    assert first != other
