"""The engine alone, for prompts that have nothing to do with video.

    python examples/own_prompts.py

Every call keeps to one shared rate and is retried as far as that helps. With a key in the
environment, `vcgen.Endpoint.from_environment("gpt-4o-mini")` asks a model instead of the simulator.
"""

import asyncio

import vcgen

PLACES = ["a bakery run by twins", "a library on a ferry", "a repair shop for umbrellas"]


async def slogan(engine: vcgen.Engine, place: str) -> str:
    prompt = f"Write a slogan of at most ten words for {place}."
    request = vcgen.ChatRequest(messages=(vcgen.Message("user", prompt),), max_tokens=50)
    try:
        completion = await engine.complete(request)
    except vcgen.SampleRejected as error:
        return f"no slogan: {error.message}"
    return completion.text


async def main() -> None:
    limits = vcgen.Limits(rpm=600, concurrency=2)
    async with vcgen.Engine(vcgen.Endpoint(model="sim"), limits=limits) as engine:
        async with asyncio.TaskGroup() as group:
            slogans = [group.create_task(slogan(engine, place)) for place in PLACES]
        for place, done in zip(PLACES, slogans, strict=True):
            print(f"{place}: {done.result()}")
        print(f"{engine.counters.requests} requests, {engine.counters.usage}")


if __name__ == "__main__":
    asyncio.run(main())
