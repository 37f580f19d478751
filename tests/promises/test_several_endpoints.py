"""A run by several endpoints: which may share it, what it remembers of them, what each is sent."""

from pathlib import Path
from typing import Any

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
)
from tests.support.endpoints import write_endpoints
from vcgen.engine.budget import Budget
from vcgen.engine.config import Endpoint, Limits
from vcgen.errors import UsageError
from vcgen.pipeline.store.manifest import Manifest
from vcgen.sim import Latency, Scenario, ServerCapabilities, ServerLimits, Simulator

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
