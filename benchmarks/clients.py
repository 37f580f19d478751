"""The clients of the HTTP benchmarks, each as its own README shows it, in a process of its own.

Bodies and prompts are ready-made for all but `vcgen`, which makes them of a file of clips. Every
client gets uvloop and pays for its connections. What only the first call costs (imports, compiled
templates) is spent in a call before the one that is measured.
"""

import asyncio
import gc
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from benchmarks.harness import Metrics, peak_mb
from benchmarks.servers import (
    MODEL,
    PATH,
    Exchange,
    Server,
    http_message,
    request_body,
    write_clips,
)

_JSON = {"content-type": "application/json"}


class Job(NamedTuple):
    """What a client is to do; `requests` 0 asks for as many as take `seconds`."""

    server: Server
    prompt: str
    directory: str
    cap_s: float
    seconds: float = 0.0
    in_flight: int = 0
    requests: int = 0


async def _vcgen(job: Job) -> int:
    from vcgen import Endpoint, Limits, Recipe, generate_batch

    result = await generate_batch(
        Path(job.directory, "clips.jsonl"),
        model=Endpoint(model=MODEL, base_url=job.server.base_url),
        tasks=["description"],
        recipe=Recipe(refine=False),
        limits=Limits(concurrency=job.in_flight),
        output=Path(job.directory, "run"),
    )
    # A repair or a retry would make two requests of one record.
    return len(result.records) if result.summary.requests == job.requests else 0


async def _vcgen_engine(job: Job) -> int:
    from vcgen import ChatRequest, Endpoint, Engine, Limits, Message

    request = ChatRequest(messages=(Message("user", job.prompt),))
    endpoint = Endpoint(model=MODEL, base_url=job.server.base_url)
    async with Engine(endpoint, limits=Limits(concurrency=job.in_flight)) as engine:

        async def send() -> bool:
            return bool((await engine.complete(request)).text)

        return await _fan_out(send, job)


async def _pyreqwest(job: Job) -> int:
    from pyreqwest.client import ClientBuilder

    body = request_body(job.prompt)
    async with ClientBuilder().error_for_status(enable=True).build() as client:

        async def send() -> bool:
            request = client.post(job.server.url).headers(_JSON).body_bytes(body).build()
            return bool(await (await request.send()).bytes())

        return await _fan_out(send, job)


async def _aiohttp(job: Job) -> int:
    import aiohttp

    body = request_body(job.prompt)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def send() -> bool:
            async with session.post(job.server.url, data=body, headers=_JSON) as response:
                return bool(await response.read()) and response.status == 200

        return await _fan_out(send, job)


async def _httpx(job: Job) -> int:
    import httpx

    body = request_body(job.prompt)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=600) as client:

        async def send() -> bool:
            response = await client.post(job.server.url, content=body, headers=_JSON)
            return response.status_code == 200

        return await _fan_out(send, job)


async def _openai(job: Job) -> int:
    from openai import AsyncOpenAI

    semaphore = asyncio.Semaphore(job.in_flight)
    async with AsyncOpenAI(base_url=job.server.base_url) as client:

        async def send() -> bool:
            async with semaphore:
                completion = await client.chat.completions.create(
                    model=MODEL, messages=[{"role": "user", "content": job.prompt}], max_tokens=1024
                )
            return bool(completion.choices[0].message.content)

        calls = (send() for _ in range(job.requests))
        return sum(await asyncio.gather(*calls))  # noqa: TID251 - it is what is measured


async def _lm_deluge(job: Job) -> int:
    from lm_deluge import LLMClient
    from lm_deluge.models import register_model, registry

    if MODEL not in registry:
        register_model(MODEL, MODEL, job.server.base_url, "OPENAI_API_KEY")
    client = LLMClient(
        MODEL,
        max_requests_per_minute=10**9,
        max_tokens_per_minute=10**12,
        max_concurrent_requests=job.in_flight,
        max_new_tokens=1024,
    )
    responses = await client.process_prompts_async([job.prompt] * job.requests, show_progress=False)
    return sum(bool(response.completion) for response in responses)


async def _async_batch_llm(job: Job) -> int:
    from async_batch_llm import llm, process_prompts

    strategy = llm(f"openai-compatible:{MODEL}", base_url=job.server.base_url)
    prompts = [job.prompt] * job.requests
    batch = await process_prompts(strategy, prompts, concurrency=job.in_flight)
    return sum(bool(result.output) for result in batch.results)


async def _asyncio_protocol(job: Job) -> int:
    """The least Python can do: one write and one read a request, only the status looked at."""
    request = http_message(f"POST {PATH} HTTP/1.1", request_body(job.prompt))
    loop = asyncio.get_running_loop()
    unsent, good = job.requests - min(job.in_flight, job.requests), list[bool]()

    def answer(reply: bytes) -> bytes:
        nonlocal unsent
        unsent -= 1
        good.append(reply.startswith(b"HTTP/1.1 200 "))
        return request if unsent >= 0 else b""

    async def connect() -> None:
        _, connection = await loop.create_connection(
            lambda: Exchange(answer, first=request), "127.0.0.1", job.server.port
        )
        await connection.closed

    async with asyncio.TaskGroup() as group:
        for _ in range(job.requests - unsent):
            group.create_task(connect())
    return sum(good)


async def _fan_out(send: Callable[[], Awaitable[bool]], job: Job) -> int:
    numbers, good = iter(range(job.requests)), list[bool]()

    async def work() -> None:
        for _ in numbers:
            good.append(await send())

    async with asyncio.TaskGroup() as group:
        for _ in range(min(job.in_flight, job.requests)):
            group.create_task(work())
    return sum(good)


# A client sends `requests` and returns how many brought what was asked for.
CLIENTS: dict[str, Callable[[Job], Awaitable[int]]] = {
    function.__name__.strip("_").replace("_", "-"): function
    for function in (
        *(_vcgen, _vcgen_engine, _pyreqwest, _aiohttp, _httpx, _openai),
        *(_lm_deluge, _async_batch_llm, _asyncio_protocol),
    )
}


def measure(name: str, server: list[Any], *fields: Any) -> Metrics:
    """Run a client, warm; the fields are those of a `Job`."""
    return uvloop.run(_measure(name, Job(Server(*server), *fields)))


async def _measure(name: str, job: Job) -> Metrics:
    await _timed(name, job._replace(requests=64))
    warm = await _timed(name, job._replace(requests=max(200, job.in_flight)))
    rate = warm["requests/s"]
    count = job.requests or max(4 * job.in_flight, int(rate * job.seconds))
    if count > rate * job.cap_s:
        took = f"{count / rate:.0f} s at the {rate:.0f} requests/s of the warm-up"
        raise SystemExit(f"{count} requests would take {took}")
    return await _timed(name, job._replace(requests=count))


async def _timed(name: str, job: Job) -> Metrics:
    if name == "vcgen":
        shutil.rmtree(Path(job.directory, "run"), ignore_errors=True)
        write_clips(Path(job.directory, "clips.jsonl"), job.requests)
    gc.collect()
    served, used, began = job.server.cpu_seconds(), time.process_time(), time.perf_counter()
    async with asyncio.timeout(2 * job.cap_s):
        good = await CLIENTS[name](job)
    seconds, used = time.perf_counter() - began, time.process_time() - used
    if good < job.requests:
        raise SystemExit(f"{job.requests - good} of {job.requests} requests brought nothing")
    return {
        "requests/s": job.requests / seconds,
        "CPU us/request": used / job.requests * 1e6,
        "peak MB": peak_mb(),
        "requests": job.requests,
        "seconds": seconds,
        "server busy": (job.server.cpu_seconds() - served) / seconds,
    }
