"""What is shown of a run is true: counts, rates, time left, and the lines of the summary."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from hypothesis import given, strategies as st

from tests.support.common import make_clips
from vcgen import Endpoint, Limits
from vcgen.cli.display import LATE_S, MINUTE_S, Meter, View, show_progress
from vcgen.cli.output import print_summary
from vcgen.data.readers.inputs import open_input
from vcgen.engine.limits.bottleneck import BottleneckTimes
from vcgen.pipeline.runner import Run
from vcgen.pipeline.session import Options, open_run
from vcgen.sim import SimTransport, Simulator
from vcgen.sim.clock import virtual_clock

STEPS = st.lists(st.tuples(st.floats(0.01, 90), st.integers(0, 1000)), max_size=60)


@asynccontextmanager
async def slow_run(clips: int, latency_s: float, **limits: int) -> AsyncIterator[Run]:
    options = Options(
        tasks=["description"],
        transport=SimTransport(Simulator(latency_s=latency_s)),
        limits=Limits(**limits),
    )
    async with open_run(open_input(make_clips(clips)), Endpoint(model="sim"), options) as run:
        yield run


async def watch(run: Run, rows: int | None) -> list[dict[str, str]]:
    """The fields once a second until the run is done, and once more then."""
    view = View(run)
    view.rows = rows
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


@given(STEPS)
def test_a_meter_knows_the_growth_of_the_last_minute_and_no_more(
    steps: list[tuple[float, int]],
) -> None:
    meter, now, count, looks = Meter(0), 0.0, 0, []
    for passed, more in steps:
        now, count = now + passed, count + more
        meter.look(now, count)
        looks.append((now, count))
        recent = [seen for at, seen in looks if now - at <= MINUTE_S + LATE_S]
        if len(recent) > 1:
            assert meter.growth == count - recent[0]
        assert meter.seconds >= 0


def test_a_meter_that_saw_nothing_has_no_growth() -> None:
    meter = Meter(BottleneckTimes())
    assert (meter.growth, meter.seconds) == (BottleneckTimes(), 0.0)
    meter.look(5.0, BottleneckTimes(rpm=3.0))
    assert (meter.growth, meter.seconds) == (BottleneckTimes(), 0.0)


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


def test_what_the_judge_was_asked_is_shown_apart() -> None:
    async def main() -> None:
        options = Options(
            tasks=["description"],
            transport=SimTransport(Simulator(latency_s=1)),
            limits=Limits(concurrency=3),
            judge=Endpoint(model="sim", price=(1e6, 1e6), limits=Limits(concurrency=3)),
        )
        async with open_run(open_input(make_clips(9)), Endpoint(model="sim"), options) as run:
            *_, last = await watch(run, 9)
            judge = run.summary()["judge"]
        assert last["requests"] == "18, 0 repeated"
        assert last["judge"].startswith("sim, 9 requests, ")
        assert last["judge"].endswith(f"cost ${judge['cost']:,.4f}")
        async with slow_run(1, latency_s=1) as alone:
            assert "judge" not in View(alone).fields(0.0)

    with virtual_clock() as runner:
        runner.run(main())


def test_no_pace_is_shown_before_there_is_one_and_then_the_right_one() -> None:
    async def main() -> None:
        # Three at a time, two requests of 2 s a sample: 0.75 samples a second, 80 s for 60.
        async with slow_run(60, latency_s=2, concurrency=3) as run:
            fields = await watch(run, 60)
        assert not [field for field in fields[:4] if "samples/s" in field]
        for at in range(20, 75):
            assert 0.6 <= float(fields[at]["samples/s"]) <= 0.9

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


def test_what_limits_is_shown_of_the_last_minute_and_summed_up_of_the_whole_run() -> None:
    async def main() -> None:
        # A request every 2/3 s for 60 s, and then every 2 s.
        async with (
            slow_run(150, latency_s=2, concurrency=3) as run,
            anyio.create_task_group() as group,
        ):

            async def slow_down() -> None:
                await anyio.sleep(60)
                run.engine.change([Limits(rpm=30, concurrency=3)])

            group.start_soon(slow_down)
            fields = await watch(run, None)
            summary = run.summary()
        assert {field["limited by"] for field in fields[5:59]} == {"concurrency 100 %"}
        assert re.fullmatch(r"concurrency 6\d %", fields[80]["limited by"])
        assert re.fullmatch(r"rpm (9\d|100) %", fields[130]["limited by"])
        shares = summary["limited_by"]
        assert [*shares][:2] == ["rpm", "concurrency"]
        assert shares["concurrency"] == pytest.approx(60 / summary["seconds"], abs=0.02)
        assert sum(shares.values()) == pytest.approx(1.0, abs=0.01)

    with virtual_clock() as runner:
        runner.run(main())


def test_a_run_of_rows_that_are_no_clips_ends_at_its_total() -> None:
    async def main() -> None:
        rows = [{"id": f"none-{n}"} for n in range(4)] + make_clips(6)
        options = Options(tasks=["description", "conversation"], transport=SimTransport())
        async with open_run(open_input(rows), Endpoint(model="sim"), options) as run:
            *_, last = await watch(run, len(rows))
        assert last["samples"] == "16 of ~16"

    with virtual_clock() as runner:
        runner.run(main())


def test_off_a_terminal_there_is_one_line_every_ten_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def main() -> None:
        async with (
            slow_run(20, latency_s=0.95, concurrency=1) as run,
            anyio.create_task_group() as g,
        ):
            g.start_soon(show_progress, run, lambda: 20)
            await run.work()  # 20 samples of two requests, 38 s
            g.cancel_scope.cancel()

    with virtual_clock() as runner:
        runner.run(main())

    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    done = [int(re.match(r"samples (\d+)", line)[1]) for line in lines]  # type: ignore[index]
    assert done == [5, 10, 15]
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
            "limited_by": {"tpm": 0.921, "rpm": 0.07, "caller": 0.009},
            "stopped": None,
            "output": "runs/[bold]a",
            "judge": None,
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
        "limited by          tpm 92 %, rpm 7 %",
        "output              runs/[bold]a",
    ]
