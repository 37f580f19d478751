"""The display of a run is true: counts, rates and the factor that limits it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from rich.console import Console

from tests.support.common import make_clips
from vcgen import Endpoint, Limits
from vcgen.cli.display import View, _table, show_progress
from vcgen.data.formatting import money
from vcgen.data.readers.inputs import open_input
from vcgen.pipeline.runner import Run
from vcgen.pipeline.session import Options, open_run
from vcgen.sim import SimTransport, Simulator, virtual_clock


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


def test_the_fields_end_at_what_the_run_counted() -> None:
    async def main() -> None:
        async with slow_run(30, latency_s=2, concurrency=3) as run:
            *before, last = await watch(run, 30)
        assert before[0]["samples"] == "0 of ~30"
        assert last["samples"] == "30 of ~30"
        assert last["records"] == "30"
        assert last["in flight"] == "0 of 3"
        assert last["requests"] == "60, 0 repeated"
        assert last["cost"] == "$0.00"
        assert "rejects" not in last
        assert "requests/min" not in last

    with virtual_clock() as runner:
        runner.run(main())


def test_the_judge_is_shown_apart() -> None:
    async def main() -> None:
        options = Options(
            tasks=["description"],
            transport=SimTransport(Simulator(latency_s=1)),
            limits=Limits(concurrency=3),
            judge=Endpoint(model="sim", price=(1e6, 1e6), limits=Limits(concurrency=3)),
        )
        async with open_run(open_input(make_clips(9)), Endpoint(model="sim"), options) as run:
            *_, last = await watch(run, 9)
            judge = run.summary().judge
        assert last["requests"] == "18, 0 repeated"
        assert last["judge"].startswith("sim, 9 requests, ")
        assert judge is not None
        assert last["judge"].endswith(f"cost {money(judge.cost)}")
        async with slow_run(1, latency_s=1) as alone:
            assert "judge" not in View(alone).fields(0.0)

    with virtual_clock() as runner:
        runner.run(main())


def test_pace_is_shown_once_known_and_right() -> None:
    async def main() -> None:
        # Three at a time, two requests of 2 s a sample: 0.75 samples a second, 80 s for 60.
        async with slow_run(60, latency_s=2, concurrency=3) as run:
            fields = await watch(run, 60)
        assert not [field for field in fields[:4] if "samples/s" in field]
        for at in range(20, 75):
            assert 0.6 <= float(fields[at]["samples/s"]) <= 0.9

    with virtual_clock() as runner:
        runner.run(main())


def test_requests_per_minute_stay_within_the_limit() -> None:
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


def test_bottleneck_is_of_the_last_minute_in_sum_of_the_run() -> None:
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
        shares = summary.limited_by
        assert [*shares][:2] == ["rpm", "concurrency"]
        assert shares["concurrency"] == pytest.approx(60 / summary.seconds, abs=0.02)
        assert sum(shares.values()) == pytest.approx(1.0, abs=0.01)

    with virtual_clock() as runner:
        runner.run(main())


def test_invalid_rows_end_at_the_expected_total() -> None:
    async def main() -> None:
        rows = [{"id": f"none-{n}"} for n in range(4)] + make_clips(6)
        options = Options(tasks=["description", "conversation"], transport=SimTransport())
        async with open_run(open_input(rows), Endpoint(model="sim"), options) as run:
            *_, last = await watch(run, len(rows))
        assert last["samples"] == "16 of ~16"

    with virtual_clock() as runner:
        runner.run(main())


def test_off_a_terminal_a_line_is_printed_every_ten_seconds(
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


def test_an_input_that_vanishes_does_not_end_the_run(tmp_path: Path) -> None:
    def count() -> int:
        return (tmp_path / "gone").stat().st_size

    async def main() -> int:
        async with slow_run(3, latency_s=0.05) as run, anyio.create_task_group() as group:
            group.start_soon(show_progress, run, count)
            await run.work()
            group.cancel_scope.cancel()
        return run.progress.records

    assert anyio.run(main) == 3


def test_what_is_drawn_obeys_no_text() -> None:
    """Neither a control character nor Rich's own marks for colours."""
    console = Console(force_terminal=True, color_system=None, width=200)
    (drawn,) = _table(console, {"judge": "\x1b[31m\u202e[red]a judge[/red]"})
    assert r"\x1b[31m\u202e[red]a judge[/red]" in drawn
    assert "\u202e" not in drawn
