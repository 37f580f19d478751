import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import anyio
import anyio.lowlevel
import orjson
import pytest

import vcgen
from tests.support.common import (
    DESCRIBE,
    LIMITS,
    ROOT,
    Dying,
    Watched,
    generate,
    make_clip,
    make_clips,
    outcome_ids,
)
from vcgen.data.readers.inputs import open_input, open_input_files
from vcgen.data.records import Reason
from vcgen.engine.config import Limits
from vcgen.errors import RunStopped, StoreError
from vcgen.pipeline.progress import RunSummary
from vcgen.pipeline.session import open_run
from vcgen.pipeline.store.read import read_rejects
from vcgen.sim import SimReply, Simulator, parse_faults, serve, virtual_clock
from vcgen.tasks.templates import Templates

BOTH = ["description", "conversation"]


def sample_ids(clips: Sequence[vcgen.Clip], tasks: Sequence[str] = BOTH) -> set[str]:
    return {f"{clip.id}/{task}/0" for clip in clips for task in tasks}


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.mark.parametrize("concurrency", [1, 3, 200])
def test_every_sample_ends_once_whatever_goes_wrong(concurrency: int) -> None:
    faults = "429:0.1,500:0.1,reset:0.05,hang:0.02,refusal:0.05,badjson:0.1,turns:0.1,length:0.05"
    clips: list[Any] = [*make_clips(40), make_clip("clip-3"), {"id": "bare"}]
    result = generate(
        clips,
        transport=Watched(Simulator(faults=parse_faults(faults), latency_s=0.1)),
        limits=Limits(concurrency=concurrency),
    )
    ended = [outcome.id for outcome in (*result.records, *result.rejects)]
    assert sorted(ended) == sorted(sample_ids(make_clips(40)) | {"clips[40]", "clips[41]"})
    assert result.summary.samples == len(ended)
    assert sum(result.summary.rejects_by_reason.values()) == len(result.rejects)
    assert result.records


@pytest.mark.parametrize("granted", [0, 1, 7, 30, 61])
def test_a_stopped_run_continues_where_it_stopped(tmp_path: Path, granted: int) -> None:
    clips, faults = make_clips(20), parse_faults("refusal:0.1")
    before = Watched(Dying(granted, latency_s=1.0, faults=faults))
    if granted < 60:
        with pytest.raises(RunStopped, match="refuses the key"):
            generate(clips, transport=before, output=tmp_path)
    else:
        generate(clips, transport=before, output=tmp_path)
    first = outcome_ids(tmp_path)
    assert len(first) == len(set(first))
    assert set(first) <= sample_ids(clips)
    assert granted < 6 or first
    after = Watched()
    summary = generate(clips, transport=after, output=tmp_path).summary
    assert sorted(outcome_ids(tmp_path)) == sorted(sample_ids(clips))
    assert summary.samples == 40
    assert summary.resumed == len(first)


def test_passing_over_what_is_done_leaves_turns_to_others(tmp_path: Path) -> None:
    rows = [{"id": f"{n}", "caption": "a boat"} for n in range(3000)]
    generate(rows, output=tmp_path, tasks=["description"])
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(count)
            await vcgen.generate_batch(
                rows, model="sim", output=tmp_path, tasks=["description"], limits=LIMITS
            )
            tasks.cancel_scope.cancel()

    anyio.run(main)
    assert turns > 3


def test_a_run_that_is_done_sends_nothing_and_changes_no_byte(tmp_path: Path) -> None:
    clips: list[Any] = [*make_clips(5), make_clip("clip-1"), {"id": "bare"}]
    done = generate(clips, output=tmp_path)
    before = contents(tmp_path)
    again = Watched()
    result = generate(clips, transport=again, output=tmp_path)
    assert again.bodies == []
    assert contents(tmp_path) == before
    assert result.summary.resumed == result.summary.samples == done.summary.samples == 12


ROWS: list[Any] = [
    {"id": "clip-0"},  # invalid, with the id of one that is not
    *(clip.model_dump() for clip in make_clips(4)),
    make_clip("clip-1").model_dump(),
    {**make_clip("x").model_dump(), "id": " clip-2\t"},
    {"id": "bare"},
    {"id": "clip-3", "caption": ["no text"]},
    {**make_clip("x").model_dump(), "id": 9},
    make_clip("9").model_dump(),
]
REJECTED = {
    0: "invalid",
    5: "duplicate",
    6: "duplicate",
    7: "invalid",
    8: "invalid",
    10: "duplicate",
}


def of_list(_directory: Path) -> Any:
    return open_input(ROWS)


def of_files(directory: Path) -> Any:
    paths = [directory / name / "clips.jsonl" for name in ("a", "b")]
    lines = [orjson.dumps(row) + b"\n" for row in ROWS]
    for path, part in zip(paths, (lines[:5], [*lines[5:], b"{broken\n"]), strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"".join(part))
    return open_input_files(paths, "auto", None)


def work(placed: Any, output: Path, transport: Any) -> RunSummary:
    async def main() -> RunSummary:
        options = vcgen.Options(output=output, limits=LIMITS, transport=transport)
        async with open_run(placed, "sim", options) as run:
            try:
                await run.work()
            except* RunStopped:
                pass
            return run.summary()

    with virtual_clock() as runner:
        return runner.run(main())


@pytest.mark.parametrize("source", [of_list, of_files])
@pytest.mark.parametrize("granted", [0, 3, 8, 12, 99])
def test_invalid_rows_are_the_same_rejects_after_any_stop(
    tmp_path: Path, source: Callable[[Path], Any], granted: int
) -> None:
    output = tmp_path / "run"
    started = work(source(tmp_path), output, Watched(Dying(granted))).samples
    summary = work(source(tmp_path), output, Watched())
    assert summary.resumed == started
    rejects = {reject.id: reject.reason.value for reject in read_rejects(output)}
    if source is of_list:
        assert rejects == {f"clips[{at}]": f"{kind}_clip" for at, kind in REJECTED.items()}
    else:
        assert rejects.pop("clips.jsonl:1") == rejects.pop("#2 clips.jsonl:7") == "invalid_clip"
        later = [f"{kind}_clip" for at, kind in REJECTED.items() if at]
        assert rejects == dict(
            zip((f"#2 clips.jsonl:{n}" for n in (1, 2, 3, 4, 6)), later, strict=True)
        )
    clips = [*make_clips(4), make_clip("9")]
    ids = {*sample_ids(clips), *(reject.id for reject in read_rejects(output))}
    assert sorted(outcome_ids(output)) == sorted(ids)
    before, again = contents(output), Watched()
    assert work(source(tmp_path), output, again).resumed == summary.samples
    assert again.bodies == []
    assert contents(output) == before


def test_rows_may_come_and_go_and_what_was_done_stays_done(tmp_path: Path) -> None:
    first, second, third = make_clips(3)
    rows: list[Any] = [{"id": "bare"}, first, second, {}, first]
    generate(rows, output=tmp_path)
    more: list[Any] = [{}, third, {"id": "nothing"}, *rows, {}]
    summary = generate(more, output=tmp_path).summary
    assert (summary.resumed, summary.samples) == (4 + 3, 4 + 3 + 2 + 3)
    ids = outcome_ids(tmp_path)
    assert len(ids) == len({*ids}) == summary.samples

    before, again = contents(tmp_path), Watched()
    for rest in (rows, more, rows[2:], more[::-1], []):
        generate(rest, output=tmp_path, transport=again)
    assert again.bodies == []
    assert contents(tmp_path) == before


def test_another_row_where_one_was_rejected_has_its_own_reject(tmp_path: Path) -> None:
    generate([{"id": "one"}], output=tmp_path)
    generate([{"id": "two"}], output=tmp_path)
    first, second = read_rejects(tmp_path)
    assert first.id == "clips[0]"
    assert second.id == f"clips[0] {second.meta['row']}"
    assert second.meta["row"] != first.meta["row"]


def test_a_finished_run_of_0_1_0_opens_and_sends_nothing(tmp_path: Path) -> None:
    before = contents(ROOT / "tests" / "support" / "run_of_0_1_0")
    manifest = orjson.loads(before["run.json"])
    digests = Templates().digests()  # they may change, and are then named
    manifest["run"]["templates"] = {name: digests[name] for name in digests if name != "judge"}
    for name, content in (before | {"run.json": orjson.dumps(manifest)}).items():
        (tmp_path / name).write_bytes(content)
    again = Watched()
    rows: list[Any] = [*make_clips(2), {"id": "bare"}, {}]
    result = generate(rows, output=tmp_path, transport=again)
    assert again.bodies == []
    assert (result.summary.resumed, result.summary.records, result.summary.rejects) == (6, 4, 2)
    assert len(list(result.records)) == 4
    for name in ("records.jsonl", "rejects.jsonl", "calls.jsonl"):
        assert (tmp_path / name).read_bytes() == before[name]


def test_changed_evidence_makes_the_next_variant(
    tmp_path: Path,
) -> None:
    one, two, three = make_clips(3)
    generate([one, two, three], output=tmp_path)
    changed = make_clip("clip-1", caption="Another boat leaves.")
    for _ in range(2):
        result = generate([three, changed, one], output=tmp_path)
    anew = {f"clip-1/{task}/1" for task in BOTH}
    assert set(outcome_ids(tmp_path)) == sample_ids([one, two, three]) | anew
    assert result.summary.requests == 0
    generate([two], output=tmp_path)
    assert len(outcome_ids(tmp_path)) == 8


def test_what_is_no_evidence_may_change(tmp_path: Path) -> None:
    generate(make_clips(2), output=tmp_path)
    moved = [
        clip.model_copy(update={"video": "b.mp4", "extra": {"a": 1}}) for clip in make_clips(2)
    ]
    assert generate(moved, output=tmp_path).summary.requests == 0


def test_a_clip_where_another_was_rejected_is_not_passed_over(tmp_path: Path) -> None:
    first, second, third = make_clips(3)
    generate([first, {"id": "bare"}, first], output=tmp_path)
    generate([first, second, third], output=tmp_path)
    ended = outcome_ids(tmp_path)
    assert sorted(ended) == sorted({*sample_ids([first, second, third]), "clips[1]", "clips[2]"})


def test_an_answered_narrative_is_never_paid_again(tmp_path: Path) -> None:
    clips = make_clips(6)
    # Descriptions take two requests a clip, in step; the conversations are then refused.
    before = Watched(Dying(12, latency_s=1.0))
    with pytest.raises(RunStopped):
        generate(clips, transport=before, output=tmp_path, limits=Limits(concurrency=6))
    assert len(outcome_ids(tmp_path)) == 6
    after = Watched()
    generate(clips, transport=after, output=tmp_path)
    assert after.count(DESCRIBE) == 0
    assert len(after.bodies) == 6
    assert sorted(outcome_ids(tmp_path)) == sorted(sample_ids(clips))


def test_an_answer_is_paid_once_wherever_the_run_stops(tmp_path: Path) -> None:
    clips = make_clips(4)
    for granted in range(12):
        output = tmp_path / str(granted)
        before, after = Watched(Dying(granted)), Watched()
        with pytest.raises(RunStopped):
            generate(clips, transport=before, output=output, limits=Limits(concurrency=1))
        generate(clips, transport=after, output=output)
        assert granted + len(after.bodies) == 12
        assert sorted(outcome_ids(output)) == sorted(sample_ids(clips))


def test_duplicate_clips_are_rejects_that_name_the_id(tmp_path: Path) -> None:
    clips = [*make_clips(3), make_clip("clip-1"), make_clip("clip-1")]
    result = generate(clips, output=tmp_path, tasks=["description"])
    assert len(result.records) == 3
    assert [(reject.id, reject.reason) for reject in result.rejects] == [
        ("clips[3]", Reason.DUPLICATE_CLIP),
        ("clips[4]", Reason.DUPLICATE_CLIP),
    ]
    (message, _) = [reject.message for reject in result.rejects]
    assert message == "clips[3]: the clip id 'clip-1' is taken by an earlier row"


def test_an_iterator_that_raises_ends_the_run_with_its_own_error(tmp_path: Path) -> None:
    def broken() -> Iterator[vcgen.Clip]:
        yield from make_clips(7)
        raise LookupError("the database is gone")

    for source in (broken(), later(broken())):
        with pytest.raises(LookupError, match="the database is gone"):
            generate(source, output=tmp_path)
        ended = outcome_ids(tmp_path)
        assert len(ended) == len(set(ended)) > 0
    generate(make_clips(7), output=tmp_path)
    assert sorted(outcome_ids(tmp_path)) == sorted(sample_ids(make_clips(7)))


async def later(clips: Iterator[vcgen.Clip]) -> AsyncIterator[vcgen.Clip]:
    for clip in clips:
        yield clip


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    clips = make_clips(10)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    stops = 0
    for size in range(2_000, 14_000, 1_501):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            generate(clips, output=tmp_path)
        except StoreError as error:
            assert "cannot write" in str(error)  # noqa: PT017 - the last sizes may be enough
            stops += 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        ended = outcome_ids(tmp_path)
        assert len(ended) == len(set(ended))
    assert stops > 3
    generate(clips, output=tmp_path)
    assert sorted(outcome_ids(tmp_path)) == sorted(sample_ids(clips))
    assert not list(tmp_path.glob("*.bad"))


def test_a_failing_sync_stops_an_endless_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless() -> Iterator[vcgen.Clip]:
        for number in range(10**9):
            yield make_clip(f"clip-{number}")

    def fail(_file: int) -> None:
        raise OSError(5, "Input/output error")

    async def main() -> None:
        async with open_run(open_input(endless()), "sim", {"output": tmp_path}) as run:
            monkeypatch.setattr(os, "fsync", fail)
            await run.work()

    monkeypatch.setattr("vcgen.pipeline.runner.SYNC_EVERY_S", 0.01)
    with pytest.raises(StoreError, match="Input/output error"):
        anyio.run(main)


def test_a_stop_from_outside_waits_for_what_is_in_flight(tmp_path: Path) -> None:
    async def main() -> None:
        transport = Watched(Simulator(latency_s=5.0))
        options = vcgen.Options(output=tmp_path, limits=LIMITS, transport=transport)
        async with (
            open_run(open_input(make_clips(20)), "sim", options) as run,
            anyio.create_task_group() as group,
        ):
            group.start_soon(stop_after, run, 7.0)
            await run.work()

    async def stop_after(run: Any, seconds: float) -> None:
        await anyio.sleep(seconds)
        run.stop(RunStopped("enough"))

    with (
        virtual_clock() as runner,
        pytest.RaisesGroup(pytest.RaisesExc(RunStopped, match="enough")),
    ):
        runner.run(main())
    assert len(outcome_ids(tmp_path)) == 4


def test_higher_concurrency_is_used_at_once() -> None:
    seen: list[int] = []

    async def main() -> None:
        options = vcgen.Options(limits=LIMITS, transport=Watched(Simulator(latency_s=2.0)))
        async with (
            open_run(open_input(make_clips(60)), "sim", options) as run,
            anyio.create_task_group() as group,
        ):
            group.start_soon(change, run)
            await run.work()

    async def change(run: Any) -> None:
        for concurrency in (9, 2):
            await anyio.sleep(9)
            seen.append(run.engine.in_flight)
            run.engine.change([Limits(concurrency=concurrency)])
        await anyio.sleep(9)
        seen.append(run.engine.in_flight)

    with virtual_clock() as runner:
        runner.run(main())
    assert seen == [4, 9, 2]


class Killing(Simulator):
    """Kills whoever sends one of the fatal requests, before it is answered."""

    fatal = frozenset({2, 17, 34})
    victim = 0

    def answer(self, headers: Any, body: bytes, now: float) -> SimReply:
        if self.requests + 1 in self.fatal:
            os.kill(self.victim, signal.SIGKILL)
        return super().answer(headers, body, now)


def test_nothing_is_lost_or_paid_twice_by_kill_9(tmp_path: Path) -> None:
    simulator, clips = Killing(), make_clips(12)
    (tmp_path / "clips.jsonl").write_bytes(
        b"".join(orjson.dumps(clip.model_dump()) + b"\n" for clip in clips)
    )
    command = [sys.executable, "-m", "vcgen", "generate", "clips.jsonl", "-o", "run", "--json"]

    async def main() -> list[int]:
        codes: list[int] = []
        async with serve(simulator) as url:
            options = ["--model", "sim", "--base-url", url, "--concurrency", "3"]
            while 0 not in codes and len(codes) < 9:
                process = await anyio.open_process(
                    [*command, *options], cwd=tmp_path, stdout=DEVNULL, stderr=DEVNULL
                )
                simulator.victim = process.pid
                codes.append(await process.wait())
        return codes

    killed = len(Killing.fatal)
    assert anyio.run(main) == [-signal.SIGKILL] * killed + [0]
    assert sorted(outcome_ids(tmp_path / "run")) == sorted(sample_ids(clips))
    assert 36 <= simulator.requests <= 36 + 3 * killed
    assert not list((tmp_path / "run").glob("*.bad"))
