"""The end of a run is estimated once a tenth is done: real runs, watched in virtual time."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest
from hypothesis import given, strategies as st

from tests.support.common import make_clip
from vcgen import Budget, Endpoint, Limits
from vcgen.cli.display import View
from vcgen.cli.eta import LATE_S, MINUTE_S, Look, Window, expected_samples
from vcgen.data.clips import Clip, Segment
from vcgen.data.readers.inputs import Clips, open_input
from vcgen.data.records import Outcome
from vcgen.engine.limits.bottleneck import BottleneckTimes
from vcgen.engine.transport.base import Reply
from vcgen.pipeline.progress import Progress
from vcgen.pipeline.session import Options, open_run
from vcgen.sim import SimTransport, Simulator, parse_faults, virtual_clock

TASKS = ["description", "conversation"]
REQUESTS = 3  # per clip, one after another


class Estimate(NamedTuple):
    """The display at a time: samples done, seconds to the end as estimated and as they were.

    `estimated` is None where no estimate was shown.
    """

    at: float
    done: int
    estimated: float | None
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
) -> list[Estimate]:
    """The estimates once a second of a run over some rows."""
    options = Options(
        tasks=TASKS,
        transport=transport,
        limits=limits,
        output=output,
        budget=budget or Budget(),
    )
    seen: list[tuple[float, int, float | None]] = []
    outcomes_at: list[float] = []

    async def note(_: Outcome) -> None:
        outcomes_at.append(anyio.current_time())

    async def main() -> None:
        async with open_run(open_input(rows), Endpoint(model="sim"), options, note) as run:
            view = View(run)
            view.rows = len(rows) if isinstance(rows, list) else count

            async def look() -> None:
                while True:
                    view.fields(now := anyio.current_time())
                    done = run.progress.records + run.progress.rejects.total()
                    seen.append((now, done, view.seconds_left))
                    await anyio.sleep(1)

            async with anyio.create_task_group() as group:
                group.start_soon(look)
                await run.work()
                group.cancel_scope.cancel()

    with virtual_clock() as runner:
        runner.run(main())
    end = outcomes_at[-1]  # after it, the disk takes as much virtual time as there is to look
    return [Estimate(at, done, left, end - at) for at, done, left in seen if at < end]


def assert_honest(
    seen: Sequence[Estimate], latency_s: float, since: float = 0.0, error: float = 0.15
) -> None:
    """Within 15 % and the time of one clip, once a tenth is done."""
    tenth = max(look.done for look in seen) / 10
    judged = [look for look in seen if look.done >= tenth and look.at >= since]
    assert len(judged) > 10
    for look in judged:
        assert look.estimated is not None, look
        allowed = error * look.truth + REQUESTS * latency_s
        assert abs(look.estimated - look.truth) <= allowed, look


@pytest.mark.parametrize(
    ("limits", "latency_s"),
    [
        (Limits(rpm=600, concurrency=32), 1.0),
        (Limits(rpm=240, concurrency=40), 4.0),
        (Limits(tpm=100_000), 1.0),
        (Limits(concurrency=16), 2.0),
        (Limits(concurrency=10), 8.0),
    ],
    ids=["rpm", "rpm, slow replies", "tpm", "latency", "long latency"],
)
def test_the_end_is_estimated_once_a_tenth_is_done(limits: Limits, latency_s: float) -> None:
    transport = SimTransport(Simulator(latency_s=latency_s))
    assert_honest(watch(uneven(300), transport, limits), latency_s)


def test_clips_as_long_as_the_window_are_estimated_roughly() -> None:
    """Clips of a minute end in waves of a minute here, so a minute is a wave or none."""
    seen = watch(uneven(300), SimTransport(Simulator(latency_s=20.0)), Limits(concurrency=24))
    assert_honest(seen, 20.0, since=130.0, error=0.35)


def test_invalid_rows_do_not_count_as_clips() -> None:
    rows: list[Any] = [
        clip if n % 10 < 7 else {"id": f"none-{n}"} for n, clip in enumerate(uneven(450))
    ]
    seen = watch(rows, SimTransport(Simulator(latency_s=1.0)), Limits(rpm=600, concurrency=16))
    assert_honest(seen, 1.0)
    seen = watch(rows, SimTransport(Simulator(latency_s=3.0)), Limits(concurrency=16))
    assert_honest(seen, 3.0)


def test_samples_done_before_are_not_part_of_the_pace(tmp_path: Path) -> None:
    clips, limits, transport = uneven(400), Limits(rpm=600, concurrency=16), SimTransport()
    watch(clips, transport, limits, output=tmp_path, budget=Budget(requests=400))
    seen = watch(clips, SimTransport(Simulator(latency_s=1.0)), limits, output=tmp_path)
    assert_honest(seen, 1.0)


class Changing(SimTransport):
    """A transport whose latency changes at a time, as when others begin to use a server."""

    def __init__(self, latencies: tuple[float, float], changes_at: float) -> None:
        super().__init__(Simulator())
        self._latencies, self._changes_at = latencies, changes_at

    async def post(self, *args: Any) -> Reply:
        await anyio.sleep(self._latencies[anyio.current_time() >= self._changes_at])
        return await super().post(*args)


@pytest.mark.parametrize("latencies", [(1.0, 3.0), (3.0, 1.0)], ids=["slower", "faster"])
def test_a_change_of_pace_is_noticed_a_minute_later(latencies: tuple[float, float]) -> None:
    seen = watch(uneven(450), Changing(latencies, 60.0), Limits(concurrency=10))
    assert_honest(seen, max(latencies), since=122.0)


def test_faults_that_slow_a_run_lower_its_pace() -> None:
    simulator = Simulator(latency_s=1.0, faults=parse_faults("500:0.1,reset:0.05"))
    assert_honest(watch(uneven(300), SimTransport(simulator), Limits(concurrency=16)), 1.0)


def test_reading_before_the_first_request_is_not_pace() -> None:
    async def late(clips: Sequence[Clip]) -> AsyncIterator[Clip]:
        await anyio.sleep(300)
        for clip in clips:
            yield clip

    clips, transport = uneven(150), SimTransport(Simulator(latency_s=1.0))
    seen = watch(late(clips), transport, Limits(rpm=600, concurrency=16), count=len(clips))
    assert seen[0].truth == pytest.approx(345, rel=0.05)
    assert_honest(seen, 1.0)


@given(st.lists(st.tuples(st.floats(0.01, 90), st.integers(0, 1000)), max_size=60))
def test_growth_is_of_the_last_minute_and_no_more(steps: list[tuple[float, int]]) -> None:
    window, now, count, looks = Window(), 0.0, 0, []
    for passed, more in steps:
        now, count = now + passed, count + more
        window.add(Look(now, requests=count))
        looks.append((now, count))
        recent = [seen for at, seen in looks if now - at <= MINUTE_S + LATE_S]
        if len(recent) > 1:
            assert window.growth.requests == count - recent[0]
        assert window.growth.at >= 0


def test_one_look_has_no_growth_and_no_pace() -> None:
    window = Window()
    window.add(Look(5.0, outcomes=3, limiting=BottleneckTimes(rpm=3.0)))
    assert window.growth == Look(0.0)
    assert window.pace == 0.0
    assert window.end(10) is None


def test_outcomes_that_do_not_grow_have_no_end() -> None:
    window = Window()
    for at in range(5):
        window.add(Look(float(at), outcomes=3))
    assert window.pace == 0.0
    assert window.end(10) is None


def test_a_steady_run_ends_when_its_pace_says() -> None:
    window = Window()
    for at in range(10):
        window.add(Look(float(at), outcomes=2 * at))
    assert window.pace == pytest.approx(2.0)
    assert window.end(100) == pytest.approx(50.0)


def test_invalid_rows_are_expected_in_the_rest_as_in_the_part_read() -> None:
    def progress(clips: int, invalid: int) -> Progress:
        return Progress(clips=clips, rejects=Counter(invalid_clip=invalid))

    assert expected_samples(progress(0, 0), 100, 3) == 300
    assert expected_samples(progress(50, 10), 100, 3) == 80 * 3 + 20
    assert expected_samples(progress(100, 20), 100, 3) == 80 * 3 + 20
    assert expected_samples(progress(50, 10), 100, 1) == 100
