"""The benchmark of admission: limits used, and never passed."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import AsyncExitStack

from benchmarks.harness import Case, Metrics, Row, Scale, interleave
from benchmarks.servers import render_prompt
from vcgen import ChatRequest, Endpoint, Engine, Limits, Message
from vcgen.sim import Arrival, SimTransport, Simulator, serve, virtual_clock

_RPM, _TPM, _WINDOW_S = 6000, 1_000_000, 60.0
_GIVEN = {"right": 1, "none": 0, "2x too high": 2, "10x too high": 10}


def limits(scale: Scale) -> Iterator[Row]:
    """How well an endpoint's limits are used, and never passed: 6,000 rpm and 1M tpm in any 60 s.

    With the limits given, with none given, and given 2 and 10 times too high; with prompts of
    clips, whose tokens meet the tpm limit first, and with short ones, which meet the rpm limit. 512
    requests in flight, answers after 1 s, a seed for each repeat. In virtual time over the
    simulator in memory, or with `--real-time` over HTTP. `used` and `worst window` are shares of
    the limit that binds; the second half is what comes after the first minute.
    """
    requests = {
        "clips": ChatRequest(messages=(Message("user", render_prompt()),)),
        "short prompts": ChatRequest(messages=(Message("user", "Say hello."),), max_tokens=40),
    }
    seeds: Counter[tuple[str | int, ...]] = Counter()

    def measure(case: Case) -> Metrics:
        seeds[key := tuple(case.values())] += 1
        request, times = requests[str(case["load"])], _GIVEN[str(case["limits given"])]
        given = Limits(rpm=_RPM * times or None, tpm=_TPM * times or None, concurrency=512)
        sim = Simulator(seed=seeds[key], latency_s=1.0, rpm=_RPM, tpm=_TPM, log_arrivals=True)
        with asyncio.Runner() if scale.real_time else virtual_clock() as runner:
            runner.run(_send(sim, request, given, seeds[key], scale))
        return figures(sim.arrivals or [], scale.limits_s)

    time = "real" if scale.real_time else "virtual"
    cases = [{"load": load, "limits given": x, "time": time} for load in requests for x in _GIVEN]
    yield from interleave("limits", cases, scale.long_repeats, measure)


async def _send(
    sim: Simulator, request: ChatRequest, given: Limits, seed: int, scale: Scale
) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + scale.limits_s

    async def work(engine: Engine) -> None:
        while loop.time() < end:
            await engine.complete(request)

    async with AsyncExitStack() as stack:
        url, transport = "http://in.memory/v1", None if scale.real_time else SimTransport(sim)
        if scale.real_time:
            url = await stack.enter_async_context(serve(sim))
        endpoint = Endpoint(model="sim", base_url=url)
        engine = Engine(endpoint, limits=given, transport=transport, seed=seed)
        await stack.enter_async_context(engine)
        async with asyncio.TaskGroup() as group:
            for _ in range(given.in_flight or 0):
                group.create_task(work(engine))


def figures(arrivals: list[Arrival], seconds: float) -> Metrics:
    """Of what came within some seconds of the first request."""
    began = arrivals[0].time_s
    came = [arrival for arrival in arrivals if arrival.time_s < began + seconds]
    late = [arrival for arrival in came if arrival.time_s >= began + seconds / 2]
    throttled = sum(arrival.status == 429 for arrival in came)
    return {
        "used": _used(came, seconds),
        "used in the second half": _used(late, seconds / 2),
        "429s": throttled,
        "wasted": throttled / len(came),
        "worst window": _worst_window(came),
        "requests": len(came),
    }


def _used(came: list[Arrival], seconds: float) -> float:
    granted = [arrival.tokens for arrival in came if arrival.status == 200]
    return max(len(granted) / _RPM, sum(granted) / _TPM) * _WINDOW_S / seconds


def _worst_window(came: list[Arrival]) -> float:
    """The most that any 60 s held, as a share of a limit: requests sent, or tokens granted."""
    window: deque[Arrival] = deque()
    tokens, worst = 0, 0.0
    for arrival in came:
        window.append(arrival)
        tokens += arrival.tokens
        while window[0].time_s <= arrival.time_s - _WINDOW_S:
            tokens -= window.popleft().tokens
        worst = max(worst, len(window) / _RPM, tokens / _TPM)
    return worst
