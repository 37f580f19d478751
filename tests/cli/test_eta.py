"""The end of a run is told rightly once a tenth is done: real runs, watched in virtual time."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest

from tests.support.common import make_clip
from vcgen import Budget, Endpoint, Limits
from vcgen.cli.display import View
from vcgen.cli.eta import EtaEstimate
from vcgen.data.clips import Clip, Segment
from vcgen.data.readers.inputs import Clips, open_input
from vcgen.data.records import Outcome
from vcgen.engine.transport.base import Reply
from vcgen.pipeline.progress import FinishedClips, Progress, RunSnapshot
from vcgen.pipeline.session import Options, open_run
from vcgen.sim import SimTransport, Simulator, parse_faults
from vcgen.sim.clock import virtual_clock

TASKS = ["description", "conversation"]
REQUESTS = 3  # of a clip, one after another


class Told(NamedTuple):
    """What was shown at a time: samples done, and the seconds to the end as told and as they were.

    `told` is None where nothing was.
    """

    at: float
    done: int
    told: float | None
    truth: float


def uneven(count: int) -> list[Clip]:
    """Clips of one to ten segments."""
    return [
        make_clip(
            f"clip-{n}",
            segments=[
                Segment(start=at, end=at + 1, text=f"the crew of boat {n} pulls rope {at}")
                for at in range(1 + n * 7 % 10)
            ],
        )
        for n in range(count)
    ]


def watch(
    rows: Clips,
    transport: SimTransport,
    limits: Limits,
    output: Path | None = None,
    budget: Budget | None = None,
    count: int | None = None,
) -> list[Told]:
    """What is told once a second of a run over some rows."""
    options = Options(
        tasks=TASKS,
        transport=transport,
        limits=limits,
        output=output,
        budget=budget or Budget(),
    )
    seen: list[tuple[float, int, str]] = []
    outcomes_at: list[float] = []

    async def note(_: Outcome) -> None:
        outcomes_at.append(anyio.current_time())

    async def main() -> None:
        async with open_run(open_input(rows), Endpoint(model="sim"), options, note) as run:
            view = View(run)
            view.rows = len(rows) if isinstance(rows, list) else count

            async def look() -> None:
                while True:
                    fields = view.fields(now := anyio.current_time())
                    done = run.progress.records + run.progress.rejects.total()
                    seen.append((now, done, fields.get("time left", "")))
                    await anyio.sleep(1)

            async with anyio.create_task_group() as group:
                group.start_soon(look)
                await run.work()
                group.cancel_scope.cancel()

    with virtual_clock() as runner:
        runner.run(main())
    end = outcomes_at[-1]  # after it, the disk takes as much virtual time as there is to look
    return [Told(at, done, seconds(text), end - at) for at, done, text in seen if at < end]


def seconds(text: str) -> float | None:
    if not text:
        return None
    hours, minutes, rest = map(int, text.split(":"))
    return hours * 3600 + minutes * 60 + rest


def assert_told_rightly(seen: Sequence[Told], latency_s: float, since: float = 0.0) -> None:
    """Within 15 % once a tenth is done; the last clips may be a clip's own time off."""
    tenth = max(told.done for told in seen) / 10
    judged = [told for told in seen if told.done >= tenth and told.at >= since]
    assert len(judged) > 10
    for told in judged:
        assert told.told is not None, told
        assert abs(told.told - told.truth) <= 0.15 * told.truth + REQUESTS * latency_s, told


@pytest.mark.parametrize(
    ("limits", "latency_s"),
    [
        (Limits(rpm=600, concurrency=32), 1.0),
        (Limits(rpm=240, concurrency=40), 8.0),
        (Limits(tpm=100_000), 1.0),
        (Limits(concurrency=16), 2.0),
        (Limits(concurrency=24), 20.0),
    ],
    ids=["rpm", "rpm, slow replies", "tpm", "latency", "long latency"],
)
def test_the_end_is_told_rightly_once_a_tenth_is_done(limits: Limits, latency_s: float) -> None:
    transport = SimTransport(Simulator(latency_s=latency_s))
    assert_told_rightly(watch(uneven(300), transport, limits), latency_s)


def test_rows_that_are_no_clips_do_not_count_as_clips() -> None:
    rows: list[Any] = [
        clip if n % 10 < 7 else {"id": f"none-{n}"} for n, clip in enumerate(uneven(450))
    ]
    seen = watch(rows, SimTransport(Simulator(latency_s=1.0)), Limits(rpm=600, concurrency=16))
    assert_told_rightly(seen, 1.0)
    seen = watch(rows, SimTransport(Simulator(latency_s=3.0)), Limits(concurrency=16))
    assert_told_rightly(seen, 3.0)


def test_what_was_done_before_is_no_pace(tmp_path: Path) -> None:
    clips, limits, transport = uneven(400), Limits(rpm=600, concurrency=16), SimTransport()
    watch(clips, transport, limits, output=tmp_path, budget=Budget(requests=400))
    seen = watch(clips, SimTransport(Simulator(latency_s=1.0)), limits, output=tmp_path)
    assert_told_rightly(seen, 1.0)


class Changing(SimTransport):
    """Whose replies take longer from a time on, as when others begin to use a server."""

    def __init__(self, latencies: tuple[float, float], changes_at: float) -> None:
        super().__init__(Simulator())
        self._latencies, self._changes_at = latencies, changes_at

    async def post(self, *args: Any) -> Reply:
        await anyio.sleep(self._latencies[anyio.current_time() >= self._changes_at])
        return await super().post(*args)


@pytest.mark.parametrize("latencies", [(1.0, 3.0), (3.0, 1.0)], ids=["slower", "faster"])
def test_a_change_of_pace_is_known_a_minute_after_it(latencies: tuple[float, float]) -> None:
    seen = watch(uneven(450), Changing(latencies, 60.0), Limits(concurrency=10))
    assert_told_rightly(seen, max(latencies), since=122.0)


def test_faults_that_slow_a_run_down_are_in_its_pace() -> None:
    simulator = Simulator(latency_s=1.0, faults=parse_faults("500:0.1,reset:0.05"))
    assert_told_rightly(watch(uneven(300), SimTransport(simulator), Limits(concurrency=16)), 1.0)


def test_reading_before_the_first_request_is_no_pace() -> None:
    async def late(clips: Sequence[Clip]) -> AsyncIterator[Clip]:
        await anyio.sleep(300)
        for clip in clips:
            yield clip

    clips, transport = uneven(150), SimTransport(Simulator(latency_s=1.0))
    seen = watch(late(clips), transport, Limits(rpm=600, concurrency=16), count=len(clips))
    assert seen[0].truth == pytest.approx(345, rel=0.05)
    assert_told_rightly(seen, 1.0)


def test_the_last_clips_take_a_clip_time_however_few_they_are() -> None:
    transport = SimTransport(Simulator(latency_s=20.0))
    seen = watch(uneven(51), transport, Limits(concurrency=10))  # five rounds and one clip more
    last = [told for told in seen if told.truth < REQUESTS * 20.0]
    assert len(last) > 50
    for told in last:
        assert told.told == pytest.approx(told.truth, abs=10.0)


def test_nothing_is_told_before_some_clips_have_ended() -> None:
    forecast = EtaEstimate()
    assert forecast.seconds_left(10) is None
    forecast.look(1.0, RunSnapshot(Progress(clips=10, continued=FinishedClips(10), resumed=20)))
    assert forecast.seconds_left(10) is None
