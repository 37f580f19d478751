"""What a run would take, before anything is sent: requests, tokens, money and time.

A sample of the clips goes the whole way with the simulated model in the real one's place, and what
it takes is scaled to all. The prompts are those of the run; how many tokens they have and how long
replies get is a guess.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf
from random import Random
from typing import Any, NamedTuple

from vcgen.data.readers.inputs import PlacedStream
from vcgen.data.readers.read import Placed
from vcgen.engine.chat import Usage
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.pricing import Price
from vcgen.errors import UsageError
from vcgen.pipeline.session import Options, open_run, price_of
from vcgen.sim import SimTransport

SAMPLED = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePlan:
    """What a judge would be asked, besides all that the model is.

    Attributes:
        model: the judge's.
        cost: US dollars, None if the price is not known.
    """

    model: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would take.

    Attributes:
        clips: rows of the input, or as many of them as the samples that are wanted take.
        sampled: of these, how many were tried.
        samples: records and rejects.
        cost: US dollars, None if the price is not known.
        seconds: at the limits given, None if there are none.
        limited_by: `rpm`, `tpm` or `concurrency`, whichever makes it take so long, with `judge `
            before it if it is that of the judge; empty without.
        judge: None if there is none.
    """

    clips: int
    sampled: int
    samples: int
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    seconds: float | None
    limited_by: str
    judge: JudgePlan | None = None


async def estimate(
    clips: PlacedStream,
    price: Price | None,
    options: Options,
    latency_s: float = 0.0,
    judge: Endpoint | None = None,
) -> Plan:
    """The plan of a run; nothing is sent and nothing is written.

    Args:
        clips: the input, which is read to its end.
        price: of the model's tokens, None if it is not known.
        options: of the run; its limits, output and transport are not used for the sample.
        latency_s: how long a reply takes; 0 leaves out of account how many may be in flight.
        judge: with its limits and its price, None for no judge.

    Raises:
        UsageError: as for a run, or the input is empty, or the latency is less than nothing.
    """
    if not 0 <= latency_s < inf:
        raise UsageError(f"the latency must be a number of seconds from 0, not {latency_s}")
    count, sample = await draw(clips, SAMPLED, options["recipe"].seed)
    if not sample:
        raise UsageError("there are no clips to plan for")
    trial: Options = {
        **options,
        # The simulated model writes no other, and what it writes is checked.
        "recipe": replace(options["recipe"], language="English"),
        "output": None,
        "samples": None,
        "limits": Limits(concurrency=16),
        "transport": SimTransport(),
        "judge": None if judge is None else "sim",
    }
    async with open_run(_each(sample), Endpoint(model="sim"), trial) as run:
        await run.work()
        summary = run.summary()
    wanted = options.get("samples")
    if wanted is not None:
        count = min(count, ceil(wanted / run.tasks))
    scale = count / len(sample)
    writing = _load(summary, scale, options["limits"])
    judged = None if judge is None else _load(summary["judge"], scale, judge.limits or Limits())
    seconds, limited_by = _slowest(writing, judged, count, latency_s)
    return Plan(
        clips=count,
        sampled=len(sample),
        samples=round(summary["samples"] * scale),
        requests=writing.requests,
        prompt_tokens=writing.used.prompt_tokens,
        completion_tokens=writing.used.completion_tokens,
        cost=None if price is None else price.of(writing.used),
        seconds=seconds,
        limited_by=limited_by,
        judge=None if judge is None or judged is None else _judging(judge, judged),
    )


class _Load(NamedTuple):
    """What an endpoint is asked in all, and what it allows."""

    requests: int
    used: Usage
    limits: Limits


def _load(summary: Mapping[str, Any], scale: float, limits: Limits) -> _Load:
    usage = summary["usage"]
    tokens = [round(usage[name] * scale) for name in ("prompt_tokens", "completion_tokens")]
    return _Load(round(summary["requests"] * scale), Usage(*tokens), limits)


def _judging(judge: Endpoint, load: _Load) -> JudgePlan:
    price = price_of([judge])
    return JudgePlan(
        model=judge.model,
        requests=load.requests,
        prompt_tokens=load.used.prompt_tokens,
        completion_tokens=load.used.completion_tokens,
        cost=None if price is None else price.of(load.used),
    )


def _slowest(
    writing: _Load, judging: _Load | None, clips: int, latency_s: float
) -> tuple[float | None, str]:
    """Seconds, and the name of what makes it take so long; None and empty without any limit."""

    def waiting(requests: int, in_flight: int | None) -> float:
        # Clips are begun when others end, each of which takes its requests one after another.
        rounds = 0 if in_flight is None else ceil(clips / in_flight) * requests / clips
        return rounds * latency_s

    def alone(load: _Load) -> tuple[float | None, str]:
        waiting_s = waiting(load.requests, load.limits.in_flight)
        return duration(load.requests, load.used, waiting_s, load.limits)

    slowest = alone(writing)
    if judging is None:
        return slowest
    seconds, limited_by = alone(judging)
    slowest = max(slowest, (seconds, f"judge {limited_by}"), key=_seconds)
    mine, others = writing.limits.in_flight, judging.limits.in_flight
    if mine is None or others is None:
        return slowest
    # A sample is judged once it is written, and others are written meanwhile.
    both_s = waiting(writing.requests + judging.requests, mine + others)
    return max(slowest, (both_s, "concurrency"), key=_seconds)


def _seconds(found: tuple[float | None, str]) -> float:
    return found[0] or 0.0


async def draw(rows: PlacedStream, most: int, seed: int) -> tuple[int, list[Placed]]:
    """How many rows there are, and so many of them, each with the same chance, in their order."""
    random = Random(seed)  # noqa: S311 - a repeatable sample
    drawn: list[tuple[int, Placed]] = []
    count = 0
    async for row in rows:
        count += 1
        if len(drawn) < most:
            drawn.append((count, row))
        elif (at := random.randrange(count)) < most:
            drawn[at] = (count, row)
    return count, [row for _, row in sorted(drawn, key=lambda numbered: numbered[0])]


def duration(
    requests: int, used: Usage, waiting_s: float, limits: Limits
) -> tuple[float | None, str]:
    """Seconds at the limits, and the name of the one that binds; None and empty without any.

    `waiting_s` is what waiting for replies takes, with as many in flight as may be.
    """
    prompt, completion = used.prompt_tokens, used.completion_tokens
    by_tokens = (
        (prompt + completion) / (limits.tpm or inf),
        prompt / (limits.input_tpm or inf),
        completion / (limits.output_tpm or inf),
    )
    seconds = {
        "rpm": 60 * requests / (limits.rpm or inf),
        "tpm": 60 * max(by_tokens),
        "concurrency": waiting_s,
    }
    slowest = max(seconds, key=lambda name: seconds[name])
    return (seconds[slowest], slowest) if seconds[slowest] > 0 else (None, "")


async def _each(rows: Sequence[Placed]) -> PlacedStream:
    for row in rows:
        yield row
