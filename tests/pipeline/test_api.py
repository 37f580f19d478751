import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

import vcgen
from tests.support.common import LIMITS, Dying, Watched, generate, make_clips
from vcgen.engine.config import Limits
from vcgen.errors import RunStopped, UsageError
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.read import read_records
from vcgen.sim import Simulator, parse_faults, virtual_clock
from vcgen.tasks.recipe import Recipe

CLIPS = make_clips(12)


def timeless(records: Any) -> dict[str, vcgen.Record]:
    """Records by id, without the time they were made."""
    return {record.id: replace(record, meta={**record.meta, "time": None}) for record in records}


def test_without_output_records_and_rejects_are_lists() -> None:
    result = generate([*CLIPS, {"id": "bare"}])
    assert isinstance(result.records, list)
    assert (len(result.records), len(result.rejects)) == (24, 1)
    assert (result.cost, result.usage.completion_tokens > 0) == (0.0, True)
    assert result.summary.output is None


def test_stored_outcomes_can_be_iterated_again(tmp_path: Path) -> None:
    result = generate([*CLIPS, {"id": "bare"}], output=tmp_path / "run")
    assert timeless(result.records) == timeless(generate(CLIPS).records)
    assert len(result.records) == len(list(result.records)) == len(list(result.records)) == 24
    assert [reject.id for reject in result.rejects] == ["clips[12]"]
    counts = Manifest.read(tmp_path / "run").counts
    assert (counts["records"], counts["rejects"]) == (24, {"invalid_clip": 1})
    assert counts["usage"] == asdict(result.usage)
    assert (counts["cost"], counts["repairs"]) == (0.0, 0)


def test_manifest_counts_hold_the_calls_of_all_runs(
    tmp_path: Path,
) -> None:
    with pytest.raises(RunStopped):
        generate(CLIPS, output=tmp_path, transport=Watched(Dying(9)))
    assert not Manifest.read(tmp_path).counts
    generate(CLIPS, output=tmp_path)
    whole = generate(CLIPS)
    counts = Manifest.read(tmp_path).counts
    assert counts["usage"] == asdict(whole.usage)
    flags = Counter(flag for record in whole.records for flag in record.flags)
    assert counts["flags"] == dict(flags)


def test_the_summary_has_what_programs_read() -> None:
    summary = generate(CLIPS).summary
    written = orjson.loads(orjson.dumps(summary))
    assert written == asdict(summary)
    assert set(written) >= {
        "samples", "records", "rejects", "rejects_by_reason", "requests", "retries", "usage",
        "cost", "seconds", "records_per_second",
    }  # fmt: skip
    assert (summary.samples, summary.requests) == (24, 36)


def test_no_clips_make_an_empty_result() -> None:
    transport = Watched()
    assert generate([], transport=transport).summary.samples == 0
    assert transport.bodies == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"otput": "runs/a", "limit": 3},
            "unknown option limit, otput; choose from tasks, max_records",
        ),
        ({"tasks": []}, "at least one"),
        ({"tasks": ["description", "description"]}, "each once"),
        ({"tasks": ["poem"]}, "unknown task 'poem'"),
        ({"templates": "no/such/directory"}, "is not a directory"),
        ({"output": "/dev/null"}, "is a file"),
        ({"model": ""}, "no key|no name"),
    ],
)
def test_wrong_use_is_one_clear_error_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], said: str
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    transport = Watched()
    with pytest.raises(UsageError, match=said) as caught:
        generate(CLIPS, **options, transport=transport)
    assert "\n" not in str(caught.value)
    assert transport.bodies == []

    async def main() -> None:
        streamed = vcgen.stream(CLIPS, **({"model": "sim"} | options | {"transport": transport}))
        async with aclosing(streamed) as outcomes:
            await anext(outcomes)

    with virtual_clock() as runner, pytest.raises(UsageError, match=said):
        runner.run(main())


def test_the_same_seed_makes_the_same_records_whatever_the_order() -> None:
    def records(seed: int, concurrency: int, latency_s: float) -> dict[str, vcgen.Record]:
        simulator = Simulator(latency_s=latency_s)
        return timeless(
            generate(
                CLIPS,
                recipe=Recipe(seed=seed),
                limits=Limits(concurrency=concurrency),
                transport=Watched(simulator),
            ).records
        )

    assert records(7, 1, 0.0) == records(7, 5, 3.0) == records(7, 64, 0.5)
    assert records(7, 1, 0.0) != records(8, 1, 0.0)


class Noon(datetime):
    """A day on which it is always noon when a run starts."""

    @classmethod
    def now(cls, tz: Any = None) -> "Noon":
        return cls(2026, 5, 1, 12, tzinfo=tz or UTC)


def test_in_virtual_time_two_runs_are_byte_identical(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vcgen.pipeline.session.datetime", Noon)
    monkeypatch.setattr("vcgen.pipeline.runner.SYNC_EVERY_S", 1e9)  # a thread would take real time
    faults = parse_faults("429:0.1,500:0.1,refusal:0.1,badjson:0.1")
    for name in ("a", "b"):
        simulator = Simulator(latency_s=0.7, faults=faults)
        generate(CLIPS, transport=Watched(simulator), output=tmp_path / name, limits=LIMITS)
    for file in ("records.jsonl", "rejects.jsonl", "calls.jsonl", "run.json"):
        first, second = ((tmp_path / name / file).read_bytes() for name in ("a", "b"))
        assert first == second
        assert first


def test_stream_brings_what_generate_batch_does() -> None:
    async def main() -> list[vcgen.Outcome]:
        return [outcome async for outcome in vcgen.stream([*CLIPS, {"id": "bare"}], model="sim")]

    with virtual_clock() as runner:
        outcomes = runner.run(main())
    records = [outcome for outcome in outcomes if isinstance(outcome, vcgen.Record)]
    assert timeless(records) == timeless(generate(CLIPS).records)
    assert len(outcomes) == 25


def test_a_stream_ends_with_the_error_of_its_run() -> None:
    async def main() -> None:
        transport = Watched(Simulator(key="another"))
        async for _ in vcgen.stream(CLIPS, model="sim", transport=transport):
            pass

    with virtual_clock() as runner, pytest.raises(RunStopped, match="refuses the key"):
        runner.run(main())


@pytest.mark.parametrize("how", ["close", "break", "cancel", "scope"])
def test_stream_left_early_leaves_no_task_and_resumes(tmp_path: Path, how: str) -> None:
    async def leave(wanted: int) -> None:
        transport = Watched(Simulator(latency_s=1.0))
        outcomes = vcgen.stream(
            make_clips(60), model="sim", output=tmp_path, limits=LIMITS, transport=transport
        )
        seen = 0
        async for _ in outcomes:
            seen += 1
            if seen == wanted:
                break
        if how == "close":
            await outcomes.aclose()

    async def main() -> None:
        task = asyncio.current_task()
        if how == "cancel":
            leaving = asyncio.create_task(leave(10**6))
            await anyio.sleep(9.5)
            leaving.cancel()
            await asyncio.wait([leaving])
            assert leaving.cancelled()
        elif how == "scope":
            with anyio.move_on_after(9.5) as scope:
                await leave(10**6)
            assert scope.cancelled_caught
        else:
            await leave(5)
        while how == "break" and (ending := asyncio.all_tasks() - {task}):
            await asyncio.wait(ending)  # nobody waited for the stream to close
        assert asyncio.all_tasks() == {task}

    with virtual_clock() as runner:
        runner.run(main())
    left = [record.id for record in read_records(tmp_path)]
    assert 5 <= len(left) == len(set(left)) < 120
    generate(make_clips(60), output=tmp_path)
    ids = [record.id for record in read_records(tmp_path)]
    assert len(ids) == len(set(ids)) == 120


def test_two_runs_at_once_are_independent(tmp_path: Path) -> None:
    async def one(name: str, seed: int) -> None:
        await vcgen.generate_batch(
            CLIPS, model="sim", output=tmp_path / name, recipe=Recipe(seed=seed), limits=LIMITS
        )

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(one, "a", 1)
            group.start_soon(one, "b", 2)

    anyio.run(main)
    for name, seed in (("a", 1), ("b", 2)):
        alone = generate(CLIPS, recipe=Recipe(seed=seed)).records
        assert timeless(read_records(tmp_path / name)) == timeless(alone)


def test_run_blocks_and_refuses_to_run_in_a_loop() -> None:
    assert len(vcgen.run(CLIPS[:1], model="sim").records) == 2

    async def main() -> None:
        with pytest.raises(UsageError, match=r"await vcgen\.generate_batch"):
            vcgen.run(CLIPS, model="sim")

    anyio.run(main)


def test_a_changed_recipe_or_model_does_not_continue_a_run(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    generate(CLIPS, output=tmp_path / "run")
    changed = '{% extends "base.jinja" %}{% block task %}80 to 160 words{% endblock %}'
    (tmp_path / "mine" / "describe.jinja").write_text(changed)
    changes: list[tuple[dict[str, Any], str]] = [
        ({"model": "sim:2"}, "model was sim, is sim:2"),
        ({"recipe": Recipe(turns=(2, 4))}, r"recipe\.turns was \[3, 5\], is \[2, 4\]"),
        ({"tasks": ["description"]}, "tasks was"),
        ({"templates": tmp_path / "mine"}, r"templates\.describe was \w+, is \w+"),
    ]
    for options, said in changes:
        with pytest.raises(UsageError, match=said):
            generate(CLIPS, output=tmp_path / "run", **options)


def test_leaving_a_stream_ends_its_run_in_any_wait() -> None:
    ended = []

    async def endless() -> AsyncIterator[vcgen.Clip]:
        try:
            for clip in CLIPS:
                yield clip
            await anyio.sleep_forever()
        finally:
            ended.append("source")

    async def main() -> None:
        source = endless()
        async with aclosing(vcgen.stream(source, model="sim")) as outcomes:
            for _ in range(24):
                await anext(outcomes)
        assert ended == ["source"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with virtual_clock() as runner:
        runner.run(main())
