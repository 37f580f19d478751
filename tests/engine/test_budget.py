"""A budget: never overspent, ends a run cleanly, and a larger one continues it."""

from pathlib import Path

import anyio
import pytest
from hypothesis import given, strategies as st

from tests.support.common import CLIPS, Command, Watched, generate, make_clips, outcome_ids, run
from vcgen.engine.budget import Budget, BudgetLedger, Reservation
from vcgen.engine.chat import ChatRequest, Message, Usage
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.engine.limits.permit import RequestSize
from vcgen.engine.pricing import per_million
from vcgen.errors import UsageError
from vcgen.sim import SimTransport, Simulator, parse_faults

PRICE = per_million(1.0, 3.0)


@given(
    st.integers(1, 20_000),
    st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 2000), st.floats(0, 1))),
)
def test_whatever_comes_back_no_budget_is_overspent(
    tokens: int, requests: list[tuple[int, int, float]]
) -> None:
    ledger = BudgetLedger(Budget(tokens=tokens, requests=30, cost=tokens / 1e6), PRICE)
    out: list[tuple[Reservation, Usage]] = []
    used = []
    for prompt_bytes, max_tokens, part in requests:
        amount = ledger.reserve(RequestSize(prompt_bytes, max_tokens))
        if amount is not None:
            out.append((amount, Usage(int(prompt_bytes * part), int(max_tokens * part))))
        if out and part > 0.5:
            amount, usage = out.pop(0)
            used.append(usage)
            ledger.settle(amount, usage)
    spent = [*used, *(usage for _, usage in out)]
    assert ledger.outstanding == len(out)
    assert len(spent) <= 30
    assert sum(usage.prompt_tokens + usage.completion_tokens for usage in spent) <= tokens
    assert sum(map(PRICE.of, spent)) <= tokens / 1e6 * (1 + 1e-9)


def test_what_a_request_used_nobody_knows_stays_spent() -> None:
    ledger = BudgetLedger(Budget(tokens=1000), None)
    for _ in range(2):
        amount = ledger.reserve(RequestSize(300, 200))
        assert amount is not None
        ledger.settle(amount, None)
    assert ledger.reserve(RequestSize(1, 1)) is None


def test_engine_waits_for_a_budget_that_another_gives_back() -> None:
    request = ChatRequest(messages=(Message("user", "Hello there."),), max_tokens=1000)

    async def main() -> None:
        # Room for one request at a time: a reply is much shorter than the longest there may be.
        ledger = BudgetLedger(Budget(tokens=1500), PRICE)
        endpoint = Endpoint(model="sim")
        transport = SimTransport(Simulator(latency_s=1.0))
        engines = [
            Engine(endpoint, transport=transport, budget=balance)
            for balance in (ledger, ledger.at(PRICE))
        ]
        async with anyio.create_task_group() as group:
            for engine in engines:
                group.start_soon(engine.complete, request)
        assert [engine.counters.completions for engine in engines] == [1, 1]
        assert ledger.outstanding == 0

    run(main)


@pytest.mark.parametrize(
    "budget",
    [Budget(requests=25), Budget(tokens=20_000), Budget(cost=0.02), Budget(seconds=3.5)],
)
def test_run_ends_within_its_budget_and_can_be_continued(tmp_path: Path, budget: Budget) -> None:
    faults = parse_faults("500:0.1,reset:0.05,length:0.05")
    clips, began = make_clips(60), Watched(Simulator(latency_s=1.0, faults=faults))
    endpoint = Endpoint(model="sim", price=(1.0, 3.0))
    limits = Limits(concurrency=8)
    result = generate(
        clips, model=endpoint, transport=began, output=tmp_path, budget=budget, limits=limits
    )
    summary, usage = result.summary, result.usage
    assert "budget" in str(summary.stopped)
    assert summary.requests == len(began.bodies) <= (budget.requests or 10**9)
    assert usage.prompt_tokens + usage.completion_tokens <= (budget.tokens or 10**9)
    assert result.cost is not None
    assert 0 < result.cost <= (budget.cost or 1e9)
    assert summary.seconds < 15
    first = outcome_ids(tmp_path)
    rest = generate(clips, model=endpoint, transport=Watched(), output=tmp_path).summary
    assert rest.stopped is None
    assert rest.resumed == len(first)
    assert len(outcome_ids(tmp_path)) == 120


def test_most_of_a_budget_is_spent_before_the_run_ends(tmp_path: Path) -> None:
    budget = Budget(tokens=200_000)
    usage = generate(make_clips(600), output=tmp_path, budget=budget).usage
    assert usage.prompt_tokens + usage.completion_tokens > 0.97 * 200_000


def test_a_budget_in_dollars_needs_a_price() -> None:
    unlisted = Endpoint(model="my-own", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(UsageError, match="--price"):
        generate(make_clips(1), model=unlisted, budget=Budget(cost=1.0))


@pytest.mark.parametrize("workers", [1, 2])
def test_the_command_ends_well_when_its_budget_is_spent(
    command: Command, tmp_path: Path, workers: int
) -> None:
    arguments = ("generate", CLIPS, "--model", "sim", "-o", tmp_path / "run", "--workers", workers)
    ended = command(*arguments, "--max-requests", 12)
    assert ended.code == 0
    assert "stopped" in ended.err
    assert 0 < len(outcome_ids(tmp_path / "run")) < 12
    assert command(*arguments, "--time-limit", "1h").code == 0
    assert len(outcome_ids(tmp_path / "run")) == 12


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--max-cost", "0", "cost must be above 0"),
        ("--max-requests", "-1", "requests must be above 0"),
        ("--time-limit", "soon", "90s, 30m or 1h30m"),
        ("--price", "1", "two numbers"),
        ("--price", "1,-1", "two numbers"),
    ],
)
def test_a_budget_that_is_none_is_one_clear_line(
    command: Command, tmp_path: Path, option: str, value: str, said: str
) -> None:
    arguments = ("generate", CLIPS, "--model", "sim", "-o", tmp_path / "run")
    ended = command(*arguments, f"{option}={value}")
    assert ended.code == 2
    assert said in ended.err
    assert ended.err.count("\n") == 1
