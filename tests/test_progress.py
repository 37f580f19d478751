"""What is shown of a run is true: counts, rates, time left, and the lines of the summary."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from conftest import make_clips
from hypothesis import given
from hypothesis import strategies as st

from vcgen import Endpoint, Limits
from vcgen.api import Options, open_run
from vcgen.batch import Run
from vcgen.intake import intake
from vcgen.progress import LATE_S, MINUTE_S, Meter, View, print_summary, show_progress
from vcgen.sim import SimTransport, Simulator
from vcgen.testing import virtual_clock

STEPS = st.lists(st.tuples(st.floats(0.01, 90), st.integers(0, 1000)), max_size=60)


@asynccontextmanager
async def slow_run(clips: int, latency_s: float, **limits: int) -> AsyncIterator[Run]:
    options = Options(
        tasks=["description"],
        transport=SimTransport(Simulator(latency_s=latency_s)),
        limits=Limits(**limits),
    )
    async with open_run(intake(make_clips(clips)), Endpoint(model="sim"), options) as run:
        yield run


async def watch(run: Run, total: int | None) -> list[dict[str, str]]:
    """The fields once a second until the run is done, and once more then."""
    view = View(run)
    view.total = total
    seen: list[dict[str, str]] = []

    async def look() -> None:
        while True:
            seen.append(view.fields(anyio.current_time()))
            await anyio.sleep(1)

    async with anyio.create_task_group() as group:
        group.start_soon(look)
        await run.work()
        group.cancel_scope.cancel()
    return [*seen, view.fields(anyio.current_time())]


def seconds(text: str) -> int:
    hours, minutes, rest = map(int, text.split(":"))
    return hours * 3600 + minutes * 60 + rest


@given(STEPS)
def test_a_meter_knows_the_growth_of_the_last_minute_and_no_more(
    steps: list[tuple[float, int]],
) -> None:
    meter, now, count, looks = Meter(), 0.0, 0, []
    for passed, more in steps:
        now, count = now + passed, count + more
        meter.look(now, count)
        looks.append((now, count))
        recent = [seen for at, seen in looks if now - at <= MINUTE_S + LATE_S]
        if len(recent) > 1:
            assert meter.growth == count - recent[0]
        assert meter.per_second >= 0


def test_a_meter_without_time_has_no_rate() -> None:
    meter = Meter()
    assert (meter.growth, meter.per_second) == (0, 0.0)
    meter.look(5.0, 3)
    meter.look(5.0, 7)
    assert meter.per_second == 0.0


def test_the_fields_end_at_what_the_run_counted() -> None:
    async def main() -> None:
        async with slow_run(30, latency_s=2, concurrency=3) as run:
            *before, last = await watch(run, 30)
        assert before[0]["samples"] == "0 of ~30"
        assert last["samples"] == "30 of ~30"
        assert last["records"] == "30"
        assert last["in flight"] == "0 of 3"
        assert last["requests"] == "60, 0 repeated"
        assert last["cost"] == "$0.0000"
        assert "rejects" not in last
        assert "requests/min" not in last

    with virtual_clock() as runner:
        runner.run(main())


def test_no_pace_is_shown_before_there_is_one_and_then_the_right_one() -> None:
    async def main() -> None:
        # Three at a time, two requests of 2 s a sample: 0.75 samples a second, 80 s for 60.
        async with slow_run(60, latency_s=2, concurrency=3) as run:
            fields = await watch(run, 60)
        assert not [field for field in fields[:4] if "time left" in field or "samples/s" in field]
        for at in range(20, 75):
            assert 0.6 <= float(fields[at]["samples/s"]) <= 0.9
            left, truth = seconds(fields[at]["time left"]), 80 - at
            assert 0.75 * truth - 4 <= left <= 1.3 * truth + 4  # outcomes come three at a time

    with virtual_clock() as runner:
        runner.run(main())


def test_requests_of_the_last_minute_are_never_shown_above_the_limit() -> None:
    async def main() -> None:
        async with slow_run(150, latency_s=0.5, rpm=60) as run:
            fields = await watch(run, None)
        shown = [field["requests/min"] for field in fields]
        assert all(text.endswith(" of 60") for text in shown)
        counts = [int(text.split()[0]) for text in shown]
        assert max(counts) <= 61
        assert min(counts[61:-1]) >= 57

    with virtual_clock() as runner:
        runner.run(main())


def test_off_a_terminal_there_is_one_line_every_ten_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def main() -> None:
        async with (
            slow_run(20, latency_s=1, concurrency=1) as run,
            anyio.create_task_group() as g,
        ):
            g.start_soon(show_progress, run, lambda: 20)
            await run.work()  # 20 samples of two requests of one second
            g.cancel_scope.cancel()

    with virtual_clock() as runner:
        runner.run(main())

    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert 3 <= len(lines) <= 4
    done = [int(re.match(r"samples (\d+)", line)[1]) for line in lines]  # type: ignore[index]
    assert done[:3] == [4, 9, 14] or done[:3] == [5, 10, 15]
    assert all("requests" in line and "in flight 1 of 1" in line for line in lines)


def test_progress_of_an_input_that_vanishes_does_not_end_the_run(tmp_path: Path) -> None:
    def count() -> int:
        return (tmp_path / "gone").stat().st_size

    async def main() -> int:
        async with slow_run(3, latency_s=0.05) as run, anyio.create_task_group() as group:
            group.start_soon(show_progress, run, count)
            await run.work()
            group.cancel_scope.cancel()
        return run.progress.records

    assert anyio.run(main) == 3


def test_the_summary_lines_up_and_leaves_out_what_is_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_summary(
        {
            "samples": 1_200,
            "records": 1_199,
            "rejects": 1,
            "rejects_by_reason": {"prompt_too_large": 1},
            "resumed": 0,
            "requests": 1_800,
            "retries": 3,
            "usage": {"prompt_tokens": 10_000, "completion_tokens": 2_000},
            "cost": None,
            "seconds": 12.34,
            "records_per_second": 97.2,
            "stopped": None,
            "output": "runs/[bold]a",
        }
    )
    assert capsys.readouterr().err.splitlines() == [
        "samples             1,200",
        "records             1,199",
        "rejects             1",
        "  prompt_too_large  1",
        "requests            1,800, 3 repeated",
        "tokens              10,000 in, 2,000 out",
        "cost                unknown",
        "time                12.3 s, 97.2 records/s",
        "output              runs/[bold]a",
    ]
