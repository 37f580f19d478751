"""The benchmark of the order in which requests leave: whether endpoints find prefixes cached."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import NamedTuple
from unittest.mock import patch

import vcgen
from benchmarks.harness import Case, Metrics, Row, Scale, interleave
from benchmarks.servers import clip_rows
from benchmarks.several import Routes
from vcgen import ChatRequest, Completion, Endpoint, Engine, Limits
from vcgen.engine.limits.queue import Affinity
from vcgen.sim import BLOCK_TOKENS, Latency, Scenario, ServerLimits, Simulator, virtual_clock

_TASKS = ("description", "conversation", "conversation-selfchat")
_SEGMENTS = 60
_LATENCY = Latency(2.0, 0.3)
_ROOM = 1.5  # times what the requests in flight need
_NEW = "every request new"


class _Setting(NamedTuple):
    """Limits of each of so many endpoints, and how many requests are in flight at each."""

    limits: Limits
    in_flight: float
    endpoints: int = 1


def _by_rate(rpm: int, workers: int, endpoints: int = 1) -> _Setting:
    limits = Limits(rpm=rpm, concurrency=workers)
    return _Setting(limits, rpm / 60 * _LATENCY.median_s, endpoints)


_SETTINGS = {
    "600 rpm, 64 workers": _by_rate(600, 64),
    "600 rpm, 256 workers": _by_rate(600, 256),
    "no rpm, 64 workers": _Setting(Limits(concurrency=64), 64),
    "3 x 200 rpm, 3 x 64 workers": _by_rate(200, 64, 3),
}


def order(scale: Scale) -> Iterator[Row]:
    """How many prompt tokens a prefix cache knows, as a share of what the best order reaches.

    Whole runs of all tasks over clips of sixty segments, in virtual time over the simulator in
    memory, answers after about 2 s. Each endpoint's cache has room for one and a half times what
    the requests in flight there need. The best order is one clip after another, a request at a
    time. `every request new` lets no conversation that has begun go before a new one.
    """
    count = min(250, scale.few // 10)
    best = _run(count, _Setting(Limits(concurrency=1), 1), 10**6)
    longest = max(came.tokens for came in best[0].arrivals or []) // BLOCK_TOKENS + 1

    def measure(case: Case) -> Metrics:
        setting = _SETTINGS[str(case["limits"])]
        blocks = int(_ROOM * setting.in_flight * longest)
        with patch.object(Engine, "complete", _as_new) if case["order"] == _NEW else nullcontext():
            share = _cached(_run(count, setting, blocks))
        return {"cached": share, "of the best": share / _cached(best)}

    yield Row("order", {"clips": count, "order": "the best"}, {"cached": [_cached(best)]})
    cases: list[Case] = [{"limits": x, "order": y} for x in _SETTINGS for y in ("as it is", _NEW)]
    yield from interleave("order", cases, 1, measure)


def _run(count: int, setting: _Setting, blocks: int) -> list[Simulator]:
    """The simulators after all tasks of so many clips."""
    limits = ServerLimits(rpm=setting.limits.rpm)
    conditions = Scenario(limits=limits, latency=_LATENCY, prefix_blocks=blocks)
    model = [
        Endpoint(model="sim", base_url=f"http://{at}.in.memory/v1", limits=setting.limits)
        for at in range(setting.endpoints)
    ]
    simulators = [Simulator(conditions, log_arrivals=True) for _ in model]
    urls = [each.url for each in model]
    routes = Routes(dict(zip(urls, simulators, strict=True)))
    clips = clip_rows(count, _SEGMENTS)
    with virtual_clock() as runner:
        made = vcgen.generate_batch(clips, model=model, tasks=_TASKS, transport=routes)
        result = runner.run(made)
    if len(result.records) != count * len(_TASKS):
        raise SystemExit(f"{len(result.records)} records of {count * len(_TASKS)}")
    return simulators


def _cached(simulators: Sequence[Simulator]) -> float:
    known = sum(simulator.cached_tokens for simulator in simulators)
    return known / sum(simulator.prompt_tokens for simulator in simulators)


_complete = Engine.complete


async def _as_new(engine: Engine, request: ChatRequest, *, affinity: Affinity) -> Completion:  # noqa: ARG001 - as `complete`
    return await _complete(engine, request)
