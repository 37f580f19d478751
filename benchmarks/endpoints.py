"""The benchmarks over HTTP: the most requests a core can send, and many slow ones at a time."""

import math
from collections.abc import Iterable, Iterator
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.clients import CLIENTS, Job
from benchmarks.harness import Case, Metrics, Row, Scale, Skipped, ask, interleave, ratio
from benchmarks.servers import bare_server, immediate_server, render_prompt

_FLOOR = "asyncio-protocol"
_WAITING = ("vcgen", "vcgen-engine", "aiohttp", "lm-deluge", _FLOOR)
_RATIOS = {"vcgen": ("lm-deluge", "openai", "aiohttp"), "vcgen-engine": ("pyreqwest",)}


def saturation(scale: Scale) -> Iterator[Row]:
    """How many requests one core sends to an endpoint that answers at once, and at what cost.

    vcgen's whole way (a file of clips of twelve segments, prompts, checks, records on disk) and its
    engine alone, beside bare HTTP clients, an SDK and other batch libraries with ready-made prompts
    of the same size. A process for each measurement, all in turn. `server busy` is the share of its
    core that the server used: near 1, it was the server that was measured.
    """
    clients: dict[tuple[str | int, str | int], Row] = {}
    with TemporaryDirectory() as directory, immediate_server(directory) as server:
        job = Job(server, render_prompt(), directory, scale.cap_s, scale.seconds)
        cases: list[Case] = [
            {"client": name, "in flight": n} for n in scale.in_flight for name in CLIENTS
        ]
        for row in interleave("saturation", cases, scale.repeats, lambda case: _client(job, case)):
            clients[row.case["client"], row.case["in flight"]] = row
            yield row
        for level in scale.in_flight:
            for over, peers in _RATIOS.items():
                for peer in peers:
                    case: Case = {"ratio": f"{over} : {peer}", "in flight": level}
                    yield ratio(clients[over, level], clients[peer, level], "requests/s", case)
        if {64, 2000} <= {*scale.in_flight}:
            many, few = clients["vcgen", 2000], clients["vcgen", 64]
            yield ratio(many, few, "CPU us/request", {"ratio": "vcgen, 2000 : 64 in flight"})
        note = "asked by wrk, 64 in flight"
        try:
            most = [server.ceiling(directory, scale.seconds) for _ in range(scale.repeats)]
        except Skipped as reason:
            note = f"{reason}: this is what the floor got"
            most = clients[_FLOOR, scale.in_flight[-1]].metrics.get("requests/s", [0.0])
    yield compare_server(server.name, most, clients.values(), note)


def latency(scale: Scale) -> Iterator[Row]:
    """How much of the ideal is reached when every answer takes a second and many are in flight.

    Ideal is that each answer is followed by the next request at once: ten answers a connection take
    ten seconds. The floor (`asyncio-protocol`) shows what server and machine can do at all.
    """
    with TemporaryDirectory() as directory, bare_server(scale.latency_s) as server:
        job = Job(server, render_prompt(), directory, scale.cap_s)

        def one(case: Case) -> Metrics:
            metrics = _client(job._replace(requests=int(case["in flight"]) * scale.rounds), case)
            return {"of the ideal": scale.rounds * scale.latency_s / metrics["seconds"], **metrics}

        for level in scale.latency_in_flight:
            cases: list[Case] = [{"client": name, "in flight": level} for name in _WAITING]
            yield from interleave("latency", cases, scale.long_repeats, one)


def _client(job: Job, case: Case) -> Metrics:
    job = job._replace(in_flight=int(case["in flight"]))
    return dict(ask("clients", "measure", case["client"], *job, timeout_s=5 * job.cap_s + 30))


def compare_server(name: str, most: list[float], rows: Iterable[Row], note: str) -> Row:
    """What a server can do at most, beside what the fastest client got."""
    measured = [row for row in rows if row.metrics and row.case["client"] != _FLOOR]
    fastest = max((median(row.metrics["requests/s"]) for row in measured), default=math.inf)
    metrics = {"requests/s": most, "times the fastest client": [rate / fastest for rate in most]}
    enough = median(most) >= 3 * fastest
    verdict = "fast enough" if enough else "NOT 3 times as fast as the fastest client"
    return Row("saturation", {"server": name}, metrics, f"{verdict}; {note}")
