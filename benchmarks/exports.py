"""How fast records become what trainers read, and in how much memory.

python -m benchmarks.exports 1000000      (about 2 GB in the temporary directory)

Runs of so many records, a tenth and a hundredth are written, half of them descriptions, half
conversations, of sentences drawn at random. Each measurement is a process of its own, from when it
has imported what it needs until the files are on the disk; what it reads is in the page cache.
`script` is what people write for themselves: all rows into a list with Python's json, and out.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from benchmarks.harness import peak_mb
from vcgen.data.records import KINDS, Record, Turn
from vcgen.datasets.export import FORMATS, export_records, read_shuffled
from vcgen.pipeline.store.layout import RECORDS
from vcgen.pipeline.store.lines import encode_line
from vcgen.pipeline.store.read import read_records

_CASES = (*FORMATS, "llava, shuffled", "script")
_WORDS = (
    "a the his her one two red small old man woman child dog boat rope crate wall street table cup "
    "door ball hill river carries lifts opens unties pushes watches holds turns walks runs slowly "
    "quickly then again near behind along across into from with and while before after until over"
)


def write_run(directory: Path, count: int) -> None:
    """Records as a run has them, 1.6 KB each, always the same ones."""
    random = Random(0)  # noqa: S311 - repeatable
    words = _WORDS.split()
    sentences = [" ".join(random.choices(words, k=12)).capitalize() + "." for _ in range(5000)]
    directory.mkdir()
    with (directory / RECORDS).open("wb") as file:
        for number in range(count):
            file.write(encode_line(_record(number, random, sentences)))


def _record(number: int, random: Random, sentences: list[str]) -> Record:
    clip, is_description = f"clip-{number // 2:07}", number % 2 == 0
    task = "description" if is_description else "conversation"
    drawn = iter(random.sample(sentences, 12))
    turns = (
        [Turn("description", next(drawn), " ".join(drawn))]
        if is_description
        else [Turn(random.choice(KINDS[1:]), next(drawn), next(drawn)) for _ in range(4)]
    )
    return Record(
        id=f"{clip}/{task}/0",
        video=f"{number % 1000:03}/{clip}.mp4",
        clip_id=clip,
        task=task,
        turns=tuple(turns),
        meta={
            "model": "some-model-2026-08-01",
            "templates": {"describe": "950ad42f5426da09", "refine": "75c7d059f36ca002"},
            "usage": {
                "prompt_tokens": random.randrange(500, 3000),
                "completion_tokens": random.randrange(100, 400),
                "cached_tokens": 0,
            },
            "cost": round(random.random() / 1000, 9),
            "attempts": 2,
            "recipe": "06dbb0ec21684808",
            "seed": 0,
            "evidence": f"{random.getrandbits(64):016x}",
            "time": "2026-08-01T12:00:00.000+00:00",
            "ground": round(random.random(), 3),
        },
    )


def measure(case: str, run: Path, output: Path) -> tuple[float, float, float]:
    """Seconds, seconds of CPU and peak megabytes of this process."""
    format_name, _, shuffled = case.partition(", ")
    export: Callable[[], object]
    if case == "script":
        export = lambda: _script(run, output)  # noqa: E731 - one of two
    else:
        if format_name in {"parquet", "datasets"}:
            import pyarrow.parquet  # type: ignore[import-untyped]  # noqa: F401
        records = read_shuffled(run) if shuffled else read_records(run)
        export = lambda: export_records(records, format_name, output)  # noqa: E731
    began, worked = time.perf_counter(), time.process_time()
    export()
    return time.perf_counter() - began, time.process_time() - worked, peak_mb()


def _script(run: Path, output: Path) -> None:
    rows = []
    for line in (run / RECORDS).open(encoding="utf-8"):
        record = json.loads(line)
        turns = []
        for number, turn in enumerate(record["turns"]):
            tag = "" if number else "<video>\n"
            turns.append({"from": "human", "value": tag + turn["question"]})
            turns.append({"from": "gpt", "value": turn["answer"]})
        rows.append({"id": record["id"], "video": record["video"], "conversations": turns})
    with output.open("w", encoding="utf-8") as file:
        json.dump(rows, file)


def rows(counts: tuple[int, ...], directory: Path, cases: tuple[str, ...]) -> Iterator[str]:
    """Lines of a table."""
    yield "| format | records | records/s | CPU us a record | peak MB |"
    yield "|---|---|---|---|---|"
    for count in counts:
        write_run(directory / str(count), count)
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for at, case in enumerate(cases):
            for count in counts:
                output = directory / f"{at}-{count}.jsonl"
                run = directory / str(count)
                seconds, cpu, peak = processes.submit(measure, case, run, output).result()
                yield (
                    f"| {case} | {count:,} | {count / seconds:,.0f} | {cpu / count * 1e6:.1f} | "
                    f"{peak:.0f} |"
                )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("records", type=int, nargs="?", default=100_000)
    parser.add_argument("--format", action="append", choices=_CASES, help="Only these.")
    asked = parser.parse_args()
    with TemporaryDirectory() as directory:
        counts = tuple(max(1, asked.records // part) for part in (100, 10, 1))
        for row in rows(counts, Path(directory), tuple(asked.format or _CASES)):
            print(row, flush=True)


if __name__ == "__main__":
    main()
