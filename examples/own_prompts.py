"""The engine alone, for prompts that have nothing to do with video: 10,000 reviews to classify.

    python examples/own_prompts.py

A prompt is read when it can be sent, and results come as they finish, so memory stays flat. With
OPENAI_API_KEY set, `vcgen.Engine("gpt-4o-mini")` asks a model instead of the simulator.
"""

import asyncio
from collections import Counter

import vcgen
from vcgen.sim import Simulator

SIMULATOR = Simulator(write=lambda request, _: "no" if "broke" in str(request) else "yes")


async def main() -> None:
    reviews = ("It broke." if number % 4 == 0 else "I love it." for number in range(10_000))
    prompts = (f"Is this review positive? Answer yes or no: {review}" for review in reviews)
    labels = Counter[str]()
    transport = vcgen.SimTransport(SIMULATOR)
    async with vcgen.Engine(vcgen.Endpoint(model="sim"), transport=transport) as engine:
        async for result in engine.map(prompts):
            labels[result.completion.text if result.completion else f"error: {result.error}"] += 1
    print(dict(sorted(labels.items())))


if __name__ == "__main__":
    asyncio.run(main())
