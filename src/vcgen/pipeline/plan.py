"""Estimate requests, tokens, cost and time of a run without sending anything.

A dry run renders the prompts for a sample of the clips; its figures are scaled to all. Tokens of
prompts are counted from their text, tokens of replies from the lengths that the recipe asks for.
Repairs, retries and thinking are not part of the estimate.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, inf
from random import Random
from typing import NamedTuple

from vcgen.data.clips import Clip
from vcgen.data.readers.inputs import InputStream
from vcgen.data.readers.read import InputRow, to_clip
from vcgen.engine.chat import Usage
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.pricing import Price
from vcgen.errors import UsageError
from vcgen.pipeline.dry_run import DryRun, unsent
from vcgen.pipeline.session import Options, Settings, price_of, task_mix
from vcgen.tasks.ask import Answer
from vcgen.tasks.clip_context import ClipContext
from vcgen.tasks.recipe import Recipe
from vcgen.tasks.task_mix import TaskMix
from vcgen.tasks.templates import Templates

SAMPLED = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePlan:
    """The estimate of a judge, which comes on top of the model's.

    Attributes:
        model: the judge's.
        cost: US dollars, None if the price is unknown.
    """

    model: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None  # US dollars, None if the price is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The estimate of a run.

    Attributes:
        clips: rows of the input, or the number of them that `max_records` needs.
        sampled: the number of rows that prompts were rendered for.
        samples: records and rejects.
        cost: US dollars, None if the price is unknown.
        seconds: at the limits given, None without limits.
        limited_by: the limit that determines `seconds`: `rpm`, `tpm` or `concurrency`, after
            `judge ` for a limit of the judge; empty without limits.
        judge: None for a run without a judge.
    """

    clips: int  # rows of the input, or as many of them as the samples that are wanted take
    sampled: int  # of these, how many were tried
    samples: int  # records and rejects
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None  # US dollars, None if the price is not known
    seconds: float | None  # at the limits given, None if there are none
    limited_by: str
    judge: JudgePlan | None = None  # None if there is none


async def estimate(
    clips: InputStream,
    price: Price | None,
    options: Options,
    latency_s: float = 0.0,
    judge: Endpoint | None = None,
) -> Plan:
    """Estimate a run; nothing is sent and nothing is written.

    Args:
        clips: the input, read to its end.
        price: of the model's tokens, None if unknown.
        options: of the run; output and transport are not used.
        latency_s: of a reply; 0 leaves the limit on requests in flight out of account.
        judge: with its limits and its price, None for no judge.

    Raises:
        UsageError: as for a run, or the input is empty, or the latency is negative.
    """
    if not 0 <= latency_s < inf:
        raise UsageError(f"the latency must be a number of seconds from 0, not {latency_s}")
    settings = Settings.from_options(options)
    mix, recipe = task_mix(settings)
    count, sample = await draw(clips, SAMPLED, recipe.seed)
    if not sample:
        raise UsageError("there are no clips to plan for")
    if settings.max_records is not None:
        count = min(count, ceil(settings.max_records / mix.size))
    prompts = Templates(settings.templates)
    samples, writing, judging = await _try(
        sample, mix, recipe, prompts, is_judged=judge is not None
    )
    scale = count / len(sample)
    written = writing.scaled(scale, settings.limits)
    judged = judge_plan = None
    if judge is not None:
        judged = judging.scaled(scale, judge.limits or Limits())
        judge_price = price_of([judge])
        judge_plan = JudgePlan(
            model=judge.model,
            requests=judged.requests,
            prompt_tokens=judged.used.prompt_tokens,
            completion_tokens=judged.used.completion_tokens,
            cost=None if judge_price is None else judge_price.of(judged.used),
        )
    seconds, limited_by = _slowest(written, judged, count, latency_s)
    return Plan(
        clips=count,
        sampled=len(sample),
        samples=round(samples * scale),
        requests=written.requests,
        prompt_tokens=written.used.prompt_tokens,
        completion_tokens=written.used.completion_tokens,
        cost=None if price is None else price.of(written.used),
        seconds=seconds,
        limited_by=limited_by,
        judge=judge_plan,
    )


@dataclass
class _Count:
    """Requests so far, and their tokens."""

    requests: int = 0
    used: Usage = Usage()

    def add(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            self.requests += 1
            self.used += answer.usage

    def scaled(self, scale: float, limits: Limits) -> "_Load":
        tokens = (self.used.prompt_tokens, self.used.completion_tokens)
        used = Usage(*(round(count * scale) for count in tokens))
        return _Load(round(self.requests * scale), used, limits)


async def _try(
    rows: Sequence[InputRow], mix: TaskMix, recipe: Recipe, prompts: Templates, *, is_judged: bool
) -> tuple[int, _Count, _Count]:
    """Samples of the rows, and the requests to the model and to its judge."""
    samples, writing, judging, ids = 0, _Count(), _Count(), set[str]()
    async with unsent() as engine:
        for row in rows:
            clip = to_clip(*row)
            if not isinstance(clip, Clip) or clip.id in ids:
                samples += 1  # a reject
                continue
            ids.add(clip.id)
            run = DryRun(ClipContext(clip, engine, None), prompts, recipe)
            for task in mix.of(clip.id):
                samples += 1
                await run.make(task, is_judged=is_judged)
            writing.add(run.writing.values())
            judging.add(run.judging.values())
    return samples, writing, judging


class _Load(NamedTuple):
    """The requests to an endpoint in all, and its limits."""

    requests: int
    used: Usage
    limits: Limits


def _slowest(
    writing: _Load, judging: _Load | None, clips: int, latency_s: float
) -> tuple[float | None, str]:
    """Seconds, and the name of the limit that determines them; None and empty without limits."""

    def waiting(requests: int, in_flight: int | None) -> float:
        # A clip begins when another one ends, and sends its requests one after another.
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


def _seconds(limiting: tuple[float | None, str]) -> float:
    return limiting[0] or 0.0


async def draw(rows: InputStream, most: int, seed: int) -> tuple[int, list[InputRow]]:
    """The number of rows, and at most `most` of them, drawn with equal chances, in their order."""
    random = Random(seed)  # noqa: S311 - a repeatable sample
    drawn: list[tuple[int, InputRow]] = []
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
    """Seconds at the limits, and the name of the one that binds; None and empty without limits.

    `waiting_s` is the time spent waiting for replies, with all requests in flight that may be.
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
