"""The benchmark of plans: what `vcgen plan` says, and what the run takes."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import orjson

from benchmarks.harness import ROOT, Case, Metrics, Row, Scale, interleave
from vcgen import Endpoint, Limits, Recipe
from vcgen.data.readers.inputs import InputStream, open_input, open_input_files
from vcgen.pipeline.plan import Plan, estimate
from vcgen.pipeline.progress import RunSummary
from vcgen.pipeline.session import Options, open_run
from vcgen.sim import SimTransport, Simulator, virtual_clock

_LIMITS = {
    "rpm": Limits(rpm=600),
    "tpm": Limits(tpm=200_000),
    "concurrency": Limits(concurrency=32),
}
_LATENCY_S = 2.0


def plans(scale: Scale) -> Iterator[Row]:
    """What a plan says over what the run then takes, of requests, tokens and time.

    The run is of descriptions and conversations, over the simulator in memory in virtual time, with
    answers after 2 s, which the plan is told. The clips are the examples, once and copied to 900,
    and those of the files named by `--clips`. `run s` is the virtual time of the run, `plan s` the
    real time that the plan takes by itself.
    """
    copied = f"examples x {scale.plan_copies}"
    inputs: dict[str, list[Path]] = {
        "examples": [],
        copied: [],
        **{path.name: [path] for path in scale.clips},
    }

    def clips(name: str) -> InputStream:
        if inputs[name]:
            return open_input_files(inputs[name], "auto", None)
        return open_input(_examples(scale.plan_copies if name == copied else 1))

    def measure(case: Case) -> Metrics:
        name, limits = str(case["clips"]), _LIMITS[str(case["limited by"])]
        began = time.perf_counter()
        plan = anyio.run(_plan, clips(name), limits)
        seconds = time.perf_counter() - began
        with virtual_clock() as runner:
            taken = runner.run(_run(clips(name), limits))
        used = taken.usage
        return {
            "requests": plan.requests / taken.requests,
            "tokens in": plan.prompt_tokens / used.prompt_tokens,
            "tokens out": plan.completion_tokens / used.completion_tokens,
            "time": (plan.seconds or 0.0) / taken.seconds,
            "run s": taken.seconds,
            "plan s": seconds,
        }

    cases = [{"clips": name, "limited by": limit} for name in inputs for limit in _LIMITS]
    yield from interleave("plans", cases, 1, measure)


def _examples(copies: int) -> Iterator[dict[str, Any]]:
    lines = (ROOT / "examples" / "clips.jsonl").read_bytes().splitlines()
    for number in range(copies):
        for row in map(orjson.loads, lines):
            yield {**row, "id": f"{row['id']}-{number}"}


async def _plan(clips: InputStream, limits: Limits) -> Plan:
    return await estimate(clips, None, Options(recipe=Recipe(), limits=limits), _LATENCY_S)


async def _run(clips: InputStream, limits: Limits) -> RunSummary:
    simulator = Simulator(rpm=limits.rpm, tpm=limits.tpm, latency_s=_LATENCY_S)
    options = Options(recipe=Recipe(), limits=limits, transport=SimTransport(simulator))
    async with open_run(clips, Endpoint(model="sim"), options) as run:
        await run.work()
        return run.summary()
