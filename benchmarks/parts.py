"""The benchmarks of single steps: the parts of the hot path, and starting."""

import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from timeit import Timer
from typing import Any

import uvloop
from packaging.requirements import Requirement

from benchmarks.harness import Case, Metrics, Row, Scale, Skipped, ask, interleave, last_json
from benchmarks.servers import MODEL, NARRATIVE, RENDERED, REPLY, clip_rows, write_clips

_CLIPS = 200
_AT_EXIT = """
import atexit, json, sys, time
began = time.perf_counter()
def tell():
    took, heavy = time.perf_counter() - began, sys.modules.keys() & {"rich", "typer", "httpx"}
    print(json.dumps([took, len(sys.modules), len(heavy)]))
atexit.register(tell)
"""
_HELP = {"vcgen --help": "sys.argv = ['vcgen', '--help']; from vcgen.cli.main import main; main()"}
_PACKAGES = ("vcgen", "aiohttp", "openai", "lm-deluge", "async-batch-llm")


def parts(scale: Scale) -> Iterator[Row]:
    """What each part of the hot path costs, in plain loops (`timeit`, with the collector on)."""
    for part, values in ask("parts", "measure", scale.repeats, scale.seconds / 10).items():
        yield Row("parts", {"part": part}, {"us": values})


def startup(scale: Scale) -> Iterator[Row]:
    """What it takes until anything happens: importing, `vcgen --help`; and what must be installed.

    Whole new interpreters (`pass` is an empty one) with a warm file cache, how many modules they
    load, and how many of rich, typer and httpx are among them. Installed are a package and all that
    it needs, without compiled bytecode.
    """
    imports = [f"import {name.replace('-', '_')}" for name in _PACKAGES]
    cases: list[Case] = [{"started": code} for code in ("pass", *imports, *_HELP)]
    interleave("startup", cases, 1, _start)  # fills the file cache
    yield from interleave("startup", cases, 2 * scale.repeats, _start)
    yield from interleave("startup", [{"package": name} for name in _PACKAGES], 1, _installed)


def measure(repeats: int, seconds: float) -> dict[str, list[float]]:
    """Microseconds of each part at each repeat, which takes about some seconds."""
    figures: dict[str, list[float]] = {}
    with TemporaryDirectory() as directory:
        clips = Path(directory, "clips.jsonl")
        write_clips(clips, _CLIPS)
        for part, call in _parts(clips).items():
            timer = Timer(call, setup="import gc; gc.enable()")
            calls = max(1, int(seconds / min(timer.repeat(3, 3)) * 3))
            each = calls * (_CLIPS if part == "read" else 1)
            figures[part] = [took / each * 1e6 for took in timer.repeat(repeats, calls)]
    calls = int(seconds / 20e-6)
    uvloop.run(_admission(calls))
    figures["admission"] = [uvloop.run(_admission(calls)) / calls * 1e6 for _ in range(repeats)]
    return figures


def _parts(clips: Path) -> dict[str, Callable[[], Any]]:
    import vcgen
    from vcgen.checks.checker import check
    from vcgen.engine.wire.completions import Form, decode, encode
    from vcgen.pipeline.store.lines import encode_line
    from vcgen.tasks.evidence import render_evidence
    from vcgen.tasks.templates import Templates

    clip, prompts = vcgen.Clip.model_validate(next(clip_rows(1))), Templates()
    variables = {"evidence": render_evidence(clip), **RENDERED}
    request = vcgen.ChatRequest(messages=prompts.render("describe", variables))
    capabilities = vcgen.Endpoint(model=MODEL).capabilities
    turns = (vcgen.Turn("description", "What happens?", NARRATIVE),)
    [record] = vcgen.run([clip], model="sim", tasks=["description"]).records
    return {
        "read": lambda: list(vcgen.read_clips(clips)),
        "evidence": lambda: render_evidence(clip),
        "render": lambda: prompts.render("describe", variables),
        "body": lambda: encode(request, Form(MODEL, capabilities)),
        "decode": lambda: decode(200, {}, REPLY),
        "checks": lambda: check(turns, clip),
        "journal line": lambda: encode_line(record),
    }


async def _admission(calls: int) -> float:
    """Seconds for requests to pass a limiter that never closes."""
    from vcgen import Limits, Usage
    from vcgen.engine.limits.limiter import EndpointLimiter
    from vcgen.engine.limits.permit import Completed, RequestSize
    from vcgen.engine.limits.scheduler import Scheduler

    limits, outcome = Limits(rpm=10**9, tpm=10**12, concurrency=64), Completed(Usage(480, 160))
    limiter = EndpointLimiter(limits, Random(0))  # noqa: S311 - jitter
    scheduler, began = Scheduler([limiter]), time.perf_counter()
    for _ in range(calls):
        permit = await scheduler.acquire(RequestSize(2000, 1024))
        scheduler.release(permit, outcome)
    return time.perf_counter() - began


def _start(case: Case) -> Metrics:
    code, began = str(case["started"]), time.perf_counter()
    took, modules, heavy = last_json([sys.executable, "-c", _AT_EXIT + _HELP.get(code, code)])
    seconds = time.perf_counter() - began
    return {"ms": seconds * 1000, "ms inside": took * 1000, "modules": modules, "heavy": heavy}


def _installed(case: Case) -> Metrics:
    pending, sizes = [str(case["package"])], dict[str, int]()
    while pending:
        try:
            distribution = metadata.distribution(pending.pop())
        except metadata.PackageNotFoundError as error:
            raise Skipped(f"{error.name} is not installed") from None
        if distribution.name not in sizes:
            sizes[distribution.name] = _size(distribution)
            needed = map(Requirement, distribution.requires or [])
            extra = {"extra": ""}
            pending += [x.name for x in needed if x.marker is None or x.marker.evaluate(extra)]
    return {"packages": len(sizes), "installed MB": sum(sizes.values()) / 2**20}


def _size(distribution: metadata.Distribution) -> int:
    paths = [Path(str(distribution.locate_file(file))) for file in distribution.files or []]
    if distribution.name == "vcgen" and (spec := find_spec("vcgen")) and spec.origin:
        paths = [*Path(spec.origin).parent.rglob("*")]  # an editable install lists none of its own
    return sum(p.stat().st_size for p in paths if p.suffix != ".pyc" and p.is_file())
