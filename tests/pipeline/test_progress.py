"""Counts of several processes add up field by field."""

from dataclasses import fields

from vcgen.engine.chat import Usage
from vcgen.engine.dispatcher import Counters
from vcgen.engine.limits.bottleneck import BottleneckTimes
from vcgen.pipeline.progress import Progress, RunSnapshot, sum_of


def snapshot(unit: int) -> RunSnapshot:
    """A snapshot whose counts are all multiples of a unit."""
    progress = Progress(
        clips=10 * unit,
        records=7 * unit,
        resumed=unit,
    )
    progress.rejects["refusal"] = 2 * unit
    progress.rejects["duplicate_clip"] = unit
    return RunSnapshot(
        progress,
        Counters(requests=9 * unit, retries=unit, usage=Usage(100 * unit, 50 * unit, 5 * unit)),
        3 * unit,
        BottleneckTimes(rpm=2.0 * unit, caller=1.0 * unit),
        8 * unit,
        Counters(requests=unit),
        (("endpoint 2", "it refuses the key"),) * unit,
    )


def test_snapshots_add_up_in_every_field() -> None:
    whole = sum_of([snapshot(1), snapshot(10), snapshot(100)])
    assert whole == snapshot(111)
    assert all(getattr(whole, field.name) for field in fields(RunSnapshot))


def test_no_snapshots_are_zero() -> None:
    assert sum_of([]) == RunSnapshot()


def test_a_sum_leaves_its_parts_as_they_were() -> None:
    first, second = snapshot(1), snapshot(2)
    sum_of([first, second]).progress.rejects["refusal"] += 1
    assert (first, second) == (snapshot(1), snapshot(2))


def test_refused_rows_are_those_that_gave_no_clip() -> None:
    assert snapshot(3).progress.refused == 3
