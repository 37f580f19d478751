"""A run by several endpoints: which may share it, what it remembers of them, what each is sent."""

from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import anyio
import orjson
import pytest
from pydantic import SecretStr

from tests.support.canary import KEY
from tests.support.common import (
    CLIPS,
    Command,
    Servers,
    Serving,
    Watched,
    generate,
    make_clips,
    outcome_ids,
    run,
)
from tests.support.endpoints import write_endpoints
from vcgen.engine.budget import Budget
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine, MapResult
from vcgen.engine.limits.limiter import NEVER_REACHED_S
from vcgen.engine.limits.queue import Affinity
from vcgen.engine.transport.base import Reply
from vcgen.errors import ConnectFailed, RequestFailed, RunStopped, UsageError
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.read import read_records, read_rejects
from vcgen.sim import (
    Latency,
    Scenario,
    ServerCapabilities,
    ServerLimits,
    SimReply,
    Simulator,
)

LOCAL = Endpoint(model="sim", base_url="http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("endpoints", "named"),
    [
        ([], "at least one Endpoint"),
        (["gpt-4o", "gpt-4o-mini"], "a list of at least one Endpoint"),
        (None, "give a name"),
        ([LOCAL, Endpoint(model="sim:b")], "one model, not 'sim' and 'sim:b'"),
        ([LOCAL, Endpoint(model="sim")], "not to both"),
        ([LOCAL, LOCAL], "http://127.0.0.1:9/v1 is given twice"),
        ([LOCAL, Endpoint(model="sim", base_url=f"{LOCAL.base_url}/")], "given twice"),
    ],
)
def test_endpoints_that_cannot_share_a_run_are_refused(endpoints: Any, named: str) -> None:
    transport = Watched()
    with pytest.raises(UsageError, match=named):
        generate(CLIPS, model=endpoints, transport=transport)
    assert not transport.bodies


def test_one_server_with_two_keys_is_two_endpoints() -> None:
    keys = [Endpoint(model="sim", base_url=LOCAL.base_url, key=SecretStr(key)) for key in "ab"]
    assert len(generate(make_clips(2), model=keys, transport=Watched()).records) == 4


def test_endpoints_may_come_and_go_between_two_calls_of_a_run(tmp_path: Path) -> None:
    other = Endpoint(model="sim", base_url="http://127.0.0.1:10/v1", deployment="sim:other")
    third = Endpoint(model="sim", base_url="http://127.0.0.1:11/v1")
    for requests, endpoints in ((2, [LOCAL, other]), (3, [other]), (4, [third, other, LOCAL])):
        transport = Watched(Simulator(behaviour=ServerCapabilities(model="")))
        budget = Budget(requests=requests)
        result = generate(
            make_clips(3), model=endpoints, transport=transport, output=tmp_path, budget=budget
        )
        assert len(transport.bodies) == requests
        assert Manifest.read(tmp_path).model == result.summary.model == "sim"
    # Three clips take nine requests: none that was answered was sent again.
    assert result.summary.records == 6


def test_an_endpoint_is_asked_for_the_model_by_its_own_name() -> None:
    transport = Watched(Simulator(behaviour=ServerCapabilities(model="")))
    endpoint = Endpoint(model="writer", base_url=LOCAL.base_url, deployment="writer-8b-awq")
    result = generate(make_clips(1), model=endpoint, transport=transport)
    assert {body["model"] for body in transport.bodies} == {"writer-8b-awq"}
    assert result.summary.model == "writer"


PRICED, DEAR, UNKNOWN, SAME = (
    Endpoint(model="sim", base_url=f"http://127.0.0.1:{port}/v1", price=price)
    for port, price in enumerate([(1.0, 2.0), (1.0, 3.0), None, (1.0, 2.0)], 1)
)


@pytest.mark.parametrize("other", [DEAR, UNKNOWN])
def test_prices_that_differ_allow_no_budget_in_dollars(other: Endpoint) -> None:
    def spend(*endpoints: Endpoint, budget: Budget) -> float | None:
        return generate(make_clips(1), model=endpoints, transport=Watched(), budget=budget).cost

    assert spend(PRICED, SAME, budget=Budget(cost=1.0))
    assert spend(PRICED, other, budget=Budget()) is None
    with pytest.raises(UsageError, match="the same at each endpoint"):
        spend(PRICED, other, budget=Budget(cost=1.0))


def test_endpoints_find_as_much_cached_as_a_single_one() -> None:
    def cached(count: int) -> float:
        conditions = Scenario(
            limits=ServerLimits(rpm=600 // count), latency=Latency(2.0, 0.3), prefix_blocks=10_000
        )
        servers = Servers([Simulator(conditions, seed=at) for at in range(count)])
        limits = Limits(rpm=600 // count, concurrency=64 // count)
        tasks = ["description", "conversation-selfchat"]
        clips = make_clips(80)
        result = generate(
            clips, model=servers.endpoints, transport=servers, limits=limits, tasks=tasks
        )
        assert len(result.records) == 160
        assert min(simulator.requests for simulator in servers.simulators) > 200
        known = sum(simulator.cached_tokens for simulator in servers.simulators)
        return known / sum(simulator.prompt_tokens for simulator in servers.simulators)

    assert cached(3) > 0.95 * cached(1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_goes_to_all_its_endpoints(
    command: Command,
    serving: Serving,
    tmp_path: Path,
    workers: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulators = [
        Simulator(latency_s=0.05, key=key, behaviour=ServerCapabilities(model=model))
        for key, model in ((None, "sim"), (KEY, "sim:b"))
    ]
    urls = [serving(simulator) for simulator in simulators]
    monkeypatch.setenv("KEY_B", KEY)
    endpoints = write_endpoints(
        tmp_path / "endpoints.toml",
        {"base-url": urls[0], "concurrency": 2},
        {"base-url": urls[1], "concurrency": 2, "deployment": "sim:b", "key-env": "KEY_B"},
    )
    arguments = (
        *("generate", CLIPS, "--model", "sim", "-o", tmp_path / "run", "--workers", workers),
        *("--endpoints", endpoints),
    )
    assert command(*arguments).code == 0
    requests = [simulator.requests for simulator in simulators]
    assert sum(requests) == 18
    assert all(requests)
    assert len(outcome_ids(tmp_path / "run")) == 12
    kept = b"".join(path.read_bytes() for path in (tmp_path / "run").iterdir())
    assert KEY.encode() not in kept


@pytest.mark.parametrize("workers", [1, 2])
def test_a_dead_key_costs_its_endpoint_and_the_last_one_the_run(
    command: Command, serving: Serving, tmp_path: Path, workers: int
) -> None:
    alive, dead = Simulator(latency_s=0.02), Simulator(key="another")
    arguments = ("generate", CLIPS, "--model", "sim", "--workers", workers, "--concurrency", 2)
    first, second = serving(dead), serving(Simulator(key="another"))
    both_dead = write_endpoints(tmp_path / "dead.toml", {"base-url": first}, {"base-url": second})
    stopped = command(*arguments, "-o", tmp_path / "dead", "--endpoints", both_dead)
    assert stopped.code == 1
    assert "refuses the key" in stopped.err

    one_alive = write_endpoints(
        tmp_path / "alive.toml", {"base-url": first}, {"base-url": serving(alive)}
    )
    alone = command(*arguments, "-o", tmp_path / "run", "--endpoints", one_alive)
    assert alone.code == 0
    assert len(outcome_ids(tmp_path / "run")) == 12
    assert alive.requests == 18


class Refusing(Simulator):
    """Refuses some of its requests within 10 ms: a share by their order, or by their content."""

    def __init__(self, status: int, share: float, *, by_content: bool = False) -> None:
        super().__init__(latency_s=1.0)
        self.seen = 0
        self._status, self._share, self._by_content = status, share, by_content
        self._due = 0.0

    def answer(self, headers: Mapping[str, str], body: bytes, now: float) -> SimReply:
        self.seen += 1
        if self._is_refused(body):
            error = b'{"error": {"message": "no such path", "type": "invalid"}}'
            return SimReply(self._status, {"content-type": "application/json"}, error, 0.01)
        return super().answer(headers, body, now)

    def _is_refused(self, body: bytes) -> bool:
        if self._by_content:
            return crc32(body) % 100 < 100 * self._share
        self._due += self._share
        is_refused = self._due >= 1
        self._due -= is_refused
        return is_refused


class Outcome(NamedTuple):
    """What became of some samples, how long they took, and which endpoints were left out."""

    results: list[MapResult[str]]
    seconds: float
    left_out: dict[str, str]

    @property
    def errors(self) -> list[RequestFailed]:
        return [result.error for result in self.results if result.error is not None]


def ask_all(
    simulators: Sequence[Simulator], samples: int, in_flight: int, *, affinity: bool = False
) -> Outcome:
    """Ask simulators of one model in virtual time; `affinity`: four samples share a prefix."""
    return ask_servers(Servers(simulators), samples, in_flight, affinity=affinity)


def ask_servers(
    servers: Servers, samples: int, in_flight: int, *, affinity: bool = False
) -> Outcome:
    outcomes = list[Outcome]()

    async def main() -> None:
        affinities = [Affinity() for _ in range(samples)]
        limits = Limits(concurrency=in_flight)
        results: list[MapResult[str]] = []
        async with Engine(servers.endpoints, transport=servers, limits=limits) as engine:

            async def ask(number: int) -> None:
                prompt = f"Say {number}."
                shared = affinities[number // 4 if affinity else number]
                try:
                    completion = await engine.complete(prompt, affinity=shared)
                    results.append(MapResult(prompt, completion=completion))
                except RequestFailed as error:
                    results.append(MapResult(prompt, error=error))

            began = anyio.current_time()
            async with anyio.create_task_group() as tasks:
                for number in range(samples):
                    tasks.start_soon(ask, number)
            assert engine.in_flight == 0
            seconds = anyio.current_time() - began
            outcomes.append(Outcome(results, seconds, engine.left_out))

    run(main)
    return outcomes[0]


# Requests that an endpoint gets before it is left out, beside one for each slot.
UNTIL_LEFT_OUT = 60


@pytest.mark.parametrize("affinity", [False, True])
@pytest.mark.parametrize("in_flight", [1, 8, 64])
@pytest.mark.parametrize(("status", "share"), [(404, 1.0), (422, 1.0), (400, 0.5)])
def test_endpoint_that_refuses_what_its_peer_answers_is_left_out(
    status: int, share: float, in_flight: int, *, affinity: bool
) -> None:
    bad, good = Refusing(status, share), Refusing(status, 0.0)
    outcome = ask_all([bad, good], 600, in_flight, affinity=affinity)
    assert len(outcome.results) == 600
    assert not outcome.errors
    [(name, reason)] = outcome.left_out.items()
    assert name.startswith("endpoint 1 (http://server-0.test/v1")
    assert "no such path" in reason
    assert bad.seen <= in_flight + (10 if share == 1 else UNTIL_LEFT_OUT)
    # One that answers nothing costs no time beyond its peer's own.
    if share == 1:
        assert good.seen == 600
        assert outcome.seconds <= 600 / in_flight + 1


class Withholding(Refusing):
    """Answers some of its requests within 10 ms by a completion without the text asked for."""

    def __init__(self, message: Mapping[str, str], share: float = 1.0) -> None:
        super().__init__(200, share)
        self._message = message

    def answer(self, headers: Mapping[str, str], body: bytes, now: float) -> SimReply:
        reply = super().answer(headers, body, now)
        if reply.delay_s > 0.01:
            return reply
        choice = {"message": self._message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 1}
        return reply._replace(body=orjson.dumps({"choices": [choice], "usage": usage}))


WITHHELD = [
    {"content": ""},
    {"content": "<think>Nothing.</think>"},
    {"content": "I'm sorry, but I can't help with that."},
    {"content": "", "refusal": "No."},
]


@pytest.mark.parametrize("message", WITHHELD, ids=repr)
def test_endpoint_that_answers_without_a_text_is_left_out(message: Mapping[str, str]) -> None:
    bad, good = Withholding(message), Refusing(200, 0.0)
    servers = Servers([bad, good])
    limits = Limits(concurrency=64)
    result = generate(make_clips(300), model=servers.endpoints, transport=servers, limits=limits)
    assert len(result.records) == 600
    assert not result.rejects
    [reason] = result.summary.left_out.values()
    assert "an answer without usable text" in reason
    assert bad.seen <= 64 + UNTIL_LEFT_OUT
    assert sum(record.meta["usage"]["completion_tokens"] for record in result.records) > bad.seen


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_models_that_refuse_at_random_alike_are_both_kept(share: float) -> None:
    both = [Withholding({"content": ""}, share) for _ in range(2)]
    outcome = ask_all(both, 4000, 64)
    assert not outcome.left_out
    refused = sum(not result.completion.text for result in outcome.results if result.completion)
    assert refused < 2 * share**2 * 4000


@pytest.mark.parametrize("in_flight", [1, 64])
def test_prompts_that_both_endpoints_refuse_leave_nobody_out(in_flight: int) -> None:
    both = [Refusing(400, 0.5, by_content=True) for _ in range(2)]
    outcome = ask_all(both, 600, in_flight)
    assert not outcome.left_out
    assert 200 < len(outcome.errors) < 400
    for error in outcome.errors:
        assert error.reason == "bad_request"
        assert error.attempts == 2
    assert all(result.completion.attempts == 1 for result in outcome.results if result.completion)


def test_what_both_endpoints_refuse_of_all_prompts_stops_the_run() -> None:
    both = [Refusing(400, 1.0), Refusing(400, 1.0)]
    with pytest.raises(ExceptionGroup) as raised:
        ask_all(both, 300, 64)
    assert raised.group_contains(RunStopped, match="refuses all requests alike: no such path")
    assert sum(simulator.seen for simulator in both) < 300


@pytest.mark.parametrize("bad", [1, 2])
def test_of_three_endpoints_those_that_refuse_are_left_out(bad: int) -> None:
    simulators = [Refusing(404, 1.0 if at < bad else 0.0) for at in range(3)]
    outcome = ask_all(simulators, 600, 16)
    assert len(outcome.results) == 600
    assert not outcome.errors
    assert len(outcome.left_out) == bad
    assert all(simulator.seen <= 16 + 16 + 10 for simulator in simulators[:bad])


class Unreachable(Servers):
    """The last endpoint cannot be reached until some time has passed."""

    def __init__(self, simulators: Sequence[Simulator], until_s: float) -> None:
        super().__init__(simulators)
        self._until_s = until_s

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        if url.startswith(self.endpoints[-1].base_url) and anyio.current_time() < self._until_s:
            raise ConnectFailed("connection refused")
        return await super().post(url, headers, body, timeout_s)


def test_refusals_wait_for_a_peer_that_comes_back() -> None:
    servers = Unreachable([Refusing(404, 1.0), Refusing(404, 0.0)], NEVER_REACHED_S / 2)
    outcome = ask_servers(servers, 100, 4)
    assert len(outcome.results) == 100
    assert not outcome.errors


def test_refusals_count_once_their_peer_is_given_up() -> None:
    refusing = Refusing(400, 0.5, by_content=True)
    outcome = ask_servers(Unreachable([refusing, Simulator()], inf), 100, 4)
    assert len(outcome.results) == 100
    assert {error.reason for error in outcome.errors} == {"bad_request"}
    assert all("no such path" in str(error) for error in outcome.errors)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8, 0.97, 1.0])
def test_quick_failures_beside_a_slow_endpoint_cost_no_time(share: float) -> None:
    alone = ask_all([Refusing(500, 0.0)], 600, 16)
    outcome = ask_all([Refusing(500, share), Refusing(500, 0.0)], 600, 16)
    assert len(outcome.results) == 600
    assert not outcome.errors
    assert not outcome.left_out
    assert outcome.seconds <= 1.05 * alone.seconds


@pytest.mark.parametrize("workers", [1, 2])
def test_summary_names_the_endpoint_left_out_and_why(
    command: Command, serving: Serving, tmp_path: Path, workers: int
) -> None:
    bad = serving(Refusing(400, 1.0))
    endpoints = write_endpoints(
        tmp_path / "endpoints.toml",
        {"base-url": bad},
        {"base-url": serving(Simulator(latency_s=0.02))},
    )
    clips = tmp_path / "clips.jsonl"
    clips.write_text("".join(f'{{"id": "{at}", "caption": "A dog runs."}}\n' for at in range(60)))
    arguments = (
        *("generate", clips, "--model", "sim", "--tasks", "description", "--concurrency", 4),
        *("--workers", workers, "--endpoints", endpoints, "-o", tmp_path / "run"),
    )
    done = command(*arguments)
    assert done.code == 0
    assert len([*read_records(tmp_path / "run")]) == 60
    assert not [*read_rejects(tmp_path / "run")]
    [line] = [line for line in done.err.splitlines() if line.startswith("left out")]
    assert f"endpoint 1 ({bad}/chat/completions): it refused" in line
    assert line.endswith("requests that another endpoint answered: no such path")
