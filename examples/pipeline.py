"""vcgen inside a program of yours: clips come from any source, outcomes are handled as they finish.

    python examples/pipeline.py

Nothing is read ahead and nothing piles up: clips are fetched as fast as this loop takes outcomes.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import vcgen

CLIPS = Path(__file__).parent / "clips.jsonl"


async def fetch_clips() -> AsyncIterator[dict[str, Any]]:
    """Stand-in for a queue, a database or a service; an invalid clip comes out as a reject."""
    for line in CLIPS.read_text("utf-8").split("\n"):
        if line:
            yield json.loads(line)
    yield {"id": "black-screen"}


async def main() -> None:
    limits = vcgen.Limits(rpm=10_000, concurrency=8)
    async for outcome in vcgen.stream(fetch_clips(), model="sim", limits=limits):
        match outcome:
            case vcgen.Record():
                print(f"{outcome.id}: {len(outcome.turns)} turns")
            case vcgen.Reject():
                print(f"{outcome.id}: {outcome.reason}: {outcome.message}")


if __name__ == "__main__":
    asyncio.run(main())
