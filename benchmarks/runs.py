"""The benchmarks of whole runs over the simulator in memory: many clips, going on, processes."""

import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import uvloop

from benchmarks.harness import (
    Case,
    Metrics,
    Row,
    Scale,
    ask,
    interleave,
    last_json,
    peak_mb,
    ratio,
)
from benchmarks.servers import clip_rows
from vcgen.pipeline.progress import RunSummary


def memory(scale: Scale) -> Iterator[Row]:
    """Peak memory of a run over many clips against one over few, and what one clip more costs.

    Clips from a generator, through the simulator in memory, outcomes streamed and dropped. Once: a
    million takes a quarter of an hour, and the peak hardly varies.
    """
    cases = [{"clips": scale.few}, {"clips": scale.many}]
    few, many = rows = interleave(
        "memory", cases, 1, lambda case: dict(ask("runs", "stream", case["clips"]))
    )
    yield from rows
    if few.metrics and many.metrics:
        pairs = zip(many.metrics["peak MB"], few.metrics["peak MB"], strict=True)
        more = [over - under for over, under in pairs]
        each = [value * 2**20 / (scale.many - scale.few) for value in more]
        yield Row("memory", {"clips": "difference"}, {"peak MB": more, "bytes/clip": each})


def resume(scale: Scale) -> Iterator[Row]:
    """Time and memory to continue a run that already has all its records.

    `reopen` reads the run directory, after which the first new request could leave. `repeat` is the
    same call again over the same clips, which finds all done. The files are in the page cache.
    """
    with TemporaryDirectory() as directory:
        ask("runs", "finish", directory, scale.many)

        def measure(case: Case) -> Metrics:
            return dict(ask("runs", str(case["step"]), directory, scale.many))

        cases: list[Case] = [{"step": x, "records": scale.many} for x in ("reopen", "repeat")]
        yield from interleave("resume", cases, scale.long_repeats, measure)


def workers(scale: Scale) -> Iterator[Row]:
    """Records/s of `vcgen generate` by two worker processes against one process, and its CPU.

    One description a clip of twelve segments, from a file. Timed by the command from when its
    options are checked: starting the workers is in it, and that each reads the whole file. Each has
    its own simulator in memory, whose writing is most of the CPU. Not pinned: two workers and the
    process that started them share the machine's cores, so nothing else may be busy.
    """
    count = scale.many // 20
    with TemporaryDirectory() as directory:
        clips = Path(directory, "clips.jsonl")
        clips.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in clip_rows(count)))

        def measure(case: Case) -> Metrics:
            with TemporaryDirectory(dir=directory) as output:
                return _command(clips, output, count, int(case["workers"]))

        cases: list[Case] = [{"workers": number, "clips": count} for number in (1, 2)]
        one, two = rows = interleave("workers", cases, scale.long_repeats, measure)
        yield from rows
        yield ratio(two, one, "records/s", {"workers": "2 : 1", "clips": count})


def _command(clips: Path, output: str, count: int, workers: int) -> Metrics:
    options = ["--model", "sim", "--tasks", "description", "--no-refine", "--json"]
    command = [sys.executable, "-m", "vcgen", "generate", str(clips), *options, "-o", output]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    summary = last_json([*command, "--workers", str(workers)], pinned=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    _require(summary["records"], count)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"records/s": count / summary["seconds"], "CPU us/record": cpu_s / count * 1e6}


def stream(count: int) -> Metrics:
    import vcgen

    async def main() -> int:
        recipe, tasks = vcgen.Recipe(refine=False), ["description"]
        outcomes = vcgen.stream(clip_rows(count), model="sim", tasks=tasks, recipe=recipe)
        records = 0
        async for outcome in outcomes:
            records += isinstance(outcome, vcgen.Record)
        return records

    began = time.perf_counter()
    _require(uvloop.run(main()), count)
    return {"peak MB": peak_mb(), "seconds": time.perf_counter() - began}


def finish(directory: str, count: int) -> None:
    """Leave a run directory of one real record and of copies of it with ids of their own."""
    from vcgen.pipeline.store.lines import decode_line, encode_line

    _generate(directory, 1)
    file = Path(directory, "run/records.jsonl")
    row = decode_line(file.read_bytes().strip())
    with file.open("ab") as records:
        for number in range(1, count):
            records.write(encode_line({**row, "id": f"{number:07}/description/0"}))


def reopen(directory: str, count: int) -> Metrics:
    from vcgen.pipeline.store.directory import RunDirectory
    from vcgen.pipeline.store.manifest import Manifest

    path = Path(directory, "run")
    began = time.perf_counter()
    store = RunDirectory.open(path, Manifest.read(path))
    seconds = time.perf_counter() - began
    store.close()
    _require(store.records, count)
    size = (path / "records.jsonl").stat().st_size
    return {"seconds": seconds, "peak MB": peak_mb(), "MB on disk": size / 2**20}


def repeat(directory: str, count: int) -> Metrics:
    began = time.perf_counter()
    summary = _generate(directory, count)
    _require(summary.resumed - summary.requests, count)
    return {"seconds": time.perf_counter() - began, "peak MB": peak_mb()}


def _generate(directory: str, count: int) -> RunSummary:
    import vcgen

    recipe, tasks, output = vcgen.Recipe(refine=False), ["description"], Path(directory, "run")
    clips = clip_rows(count)
    return vcgen.run(clips, model="sim", tasks=tasks, recipe=recipe, output=output).summary


def _require(records: int, count: int) -> None:
    if records != count:
        raise SystemExit(f"{records} records of {count}")
