"""Harsh days of every kind, drawn by a seed: nothing is lost, no limit passed, nobody overtaken."""

from collections.abc import Sequence
from math import inf
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from tests.support.common import make_clips, outcome_ids
from tests.support.days import Dated, Day, Watch, Ways, Window, wall_clock
from vcgen.engine.config import Limits
from vcgen.engine.engine import Engine
from vcgen.pipeline.api import generate_batch
from vcgen.sim import (
    Capacity,
    Latency,
    Outage,
    Scenario,
    ServerLimits,
    Simulator,
    parse_faults,
    virtual_clock,
)

SEEDS = range(20)
MINUTES = 20
SLACK = 1.02
FAULTS = [
    "",
    "429:0.02,500:0.02,reset:0.01",
    "503:0.03,529:0.02,cut:0.02,close:0.01",
    "502:0.03,hang:0.003,empty:0.01,html:0.01",
    "429:0.05",
]
SPOILT = "badjson:0.02,fence:0.03,length:0.01,refusal:0.01"


class Drawn(NamedTuple):
    """What a seed has drawn."""

    simulators: Sequence[Simulator]
    limits: Limits
    timeout_s: float
    hedge: bool


def draw(seed: int, rpms: Sequence[int], *, spoilt: str = "", tokens: int | None = None) -> Drawn:
    """Endpoints that allow one of the `rpms`, and `tokens` a request if they count them."""
    random = Random(seed)  # noqa: S311 - repeatable
    rpm = random.choice(rpms)
    tpm = None if tokens is None else random.choice([None, rpm * tokens])
    simulators = [
        simulator(random, rpm, tpm, spoilt) for _ in range(random.choice([1, 1, 1, 2, 3]))
    ]
    known = random.choice([None, rpm, 2 * rpm, rpm // 2])
    known_tpm = None if tokens is None else random.choice([None, rpm * tokens * 2 // 3])
    limits = Limits(rpm=known, tpm=known_tpm)
    return Drawn(simulators, limits, random.choice([30, 120]), hedge=random.random() < 0.3)


def simulator(random: Random, rpm: int, tpm: int | None, spoilt: str) -> Simulator:
    out_at, halved_at = random.uniform(30, 200), random.uniform(60, 400)
    outage = Outage(
        out_at, out_at + random.uniform(20, 150), random.choice(["refused", "503", "hang"])
    )
    capacity = [Capacity(halved_at, 0.5), Capacity(halved_at + random.uniform(60, 400), 1)]
    limits = ServerLimits(
        rpm=rpm,
        tpm=tpm,
        kind=random.choice(["sliding", "fixed", "bucket", "strict"]),
        headers=random.choice(["openai", "anthropic", "none"]),
        retry_after=random.random() < 0.7,
        refusal_s=random.choice([0.05, 2.0]),
    )
    median_s, sigma = random.choice([0.3, 2.0, 8.0]), random.choice([0, 0.5, 1.0])
    conditions = Scenario(
        limits=limits,
        latency=Latency(median_s, sigma, straggler_share=random.choice([0, 0.01])),
        outages=[outage] if random.random() < 0.6 else (),
        capacity=capacity if random.random() < 0.5 else (),
    )
    faults = parse_faults(f"{random.choice(FAULTS)},{spoilt}")
    return Dated(conditions, seed=random.randrange(1000), faults=faults, log_arrivals=True)


def assert_no_limit_was_passed(watch: Watch, limits: Limits) -> None:
    assert watch.above <= SLACK
    assert watch.sent.most <= SLACK * (limits.rpm or inf)
    arrivals = watch.simulator.arrivals
    assert arrivals
    tokens = Window()
    for arrival in arrivals:
        tokens.add(arrival.time_s, arrival.tokens)
    largest = max(arrival.tokens for arrival in arrivals)
    assert tokens.most <= SLACK * (limits.tpm or inf) + largest


@pytest.mark.parametrize("seed", SEEDS)
def test_a_harsh_day_loses_nothing_passes_no_limit_and_is_fair(seed: int) -> None:
    simulators, limits, timeout_s, hedge = draw(seed, rpms=[60, 120, 240])
    ways = Ways(simulators)
    engine = Engine(
        ways.endpoints,
        limits=limits,
        transport=ways,
        timeout_s=timeout_s,
        hedge=hedge,
        seed=seed,
    )
    day = Day(engine, ways)
    with virtual_clock() as runner:
        runner.run(day.spend(60 * MINUTES, askers=60 * len(simulators)))
    assert day.asked == day.answered + day.rejected
    assert day.rejected <= day.asked / 1000
    assert engine.counters.requests == sum(simulator.requests for simulator in simulators)
    if not hedge:
        assert engine.counters.completions == day.answered
        assert engine.counters.requests == day.asked + engine.counters.retries
    assert engine.in_flight == 0
    assert not ways.turns
    for watch in ways.watches:
        assert_no_limit_was_passed(watch, limits)
    # Only those who stand in the gates of other endpoints may have been there before.
    assert ways.overtaken < len(simulators)


def files_of_a_run(
    seed: int, output: Path, monkeypatch: pytest.MonkeyPatch, stepped_every_s: float
) -> dict[str, bytes]:
    """What a harsh day leaves in its run directory."""
    for module in ("pipeline.session", "engine.rate_headers"):
        monkeypatch.setattr(f"vcgen.{module}.datetime", wall_clock(stepped_every_s))
    simulators, limits, timeout_s, hedge = draw(seed, [20, 40, 80], spoilt=SPOILT, tokens=600)
    ways = Ways(simulators)
    clips = make_clips(40)
    with virtual_clock() as runner:
        result = runner.run(
            generate_batch(
                clips,
                model=ways.endpoints,
                transport=ways,
                limits=limits,
                timeout_s=timeout_s,
                hedge=hedge,
                output=output,
            )
        )
    ids = outcome_ids(output)
    assert len(ids) == len(set(ids)) == 2 * len(clips)
    assert result.summary.requests == sum(simulator.requests for simulator in simulators)
    for watch in ways.watches:
        assert_no_limit_was_passed(watch, limits)
    return {path.name: path.read_bytes() for path in output.iterdir()}


@pytest.mark.parametrize("seed", SEEDS)
def test_harsh_day_leaves_the_same_bytes_at_any_wall_clock(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steady = files_of_a_run(seed, tmp_path / "steady", monkeypatch, stepped_every_s=inf)
    stepped = files_of_a_run(seed, tmp_path / "stepped", monkeypatch, stepped_every_s=60)
    assert steady == stepped
