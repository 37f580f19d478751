"""What a run would take, before anything is sent: requests, tokens, money and time.

A sample of the clips goes the whole way with the simulated model in the real one's place, and what
it takes is scaled to all. The prompts are those of the run; how many tokens they have and how long
replies get is a guess.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, inf
from random import Random

from vcgen.api import Options, open_run
from vcgen.config import Endpoint, Limits
from vcgen.errors import UsageError
from vcgen.intake import PlacedStream
from vcgen.pricing import Price
from vcgen.records import Usage
from vcgen.sim import SimTransport
from vcgen.sources import Placed

SAMPLED = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would take.

    Attributes:
        clips: rows of the input, or as many of them as the samples that are wanted take.
        sampled: of these, how many were tried.
        samples: records and rejects.
        cost: US dollars, None if the price is not known.
        seconds: at the limits given, None if there are none.
        limited_by: `rpm`, `tpm` or `concurrency`, whichever makes it take so long; empty without.
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


async def estimate(
    clips: PlacedStream, price: Price | None, options: Options, latency_s: float = 0.0
) -> Plan:
    """The plan of a run; nothing is sent and nothing is written.

    Args:
        clips: the input, which is read to its end.
        price: of the model's tokens, None if it is not known.
        options: of the run; its limits, output and transport are not used for the sample.
        latency_s: how long a reply takes; 0 leaves out of account how many may be in flight.

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
    }
    async with open_run(_each(sample), Endpoint(model="sim"), trial) as run:
        await run.work()
        summary, tried = run.summary(), run.engine.counters.usage
    wanted = options.get("samples")
    if wanted is not None:
        count = min(count, ceil(wanted / run.tasks))
    scale = count / len(sample)
    used = Usage(round(tried.prompt_tokens * scale), round(tried.completion_tokens * scale))
    requests = round(summary["requests"] * scale)
    limits = options["limits"]
    # Clips are begun when others end, each of which takes its requests one after another.
    in_flight = limits.in_flight
    rounds = 0 if in_flight is None else ceil(count / in_flight) * requests / count
    seconds, limited_by = duration(requests, used, rounds * latency_s, limits)
    return Plan(
        clips=count,
        sampled=len(sample),
        samples=round(summary["samples"] * scale),
        requests=requests,
        prompt_tokens=used.prompt_tokens,
        completion_tokens=used.completion_tokens,
        cost=None if price is None else price.of(used),
        seconds=seconds,
        limited_by=limited_by,
    )


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
