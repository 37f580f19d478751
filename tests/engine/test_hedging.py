"""Second copies of late requests: few, only where there is room, and paid for."""

import asyncio
import socket
import time
from itertools import count

import anyio
import pytest
from hypothesis import given, strategies as st

from tests.support.common import run
from vcgen.engine.budget import Budget, BudgetLedger
from vcgen.engine.chat import ChatRequest, Completion, Message
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.engine.hedging import MOST_SHARE, HedgePolicy, _wait
from vcgen.engine.pricing import FREE
from vcgen.sim import Latency, Scenario, SimTransport, Simulator

SIM = Endpoint(model="sim")
TAIL = Latency(2.0, 0.5, straggler_share=0.02, straggler_times=20.0)


@given(st.lists(st.sampled_from(["sent", "copied"]), max_size=500))
def test_copies_are_at_most_their_share_of_all_requests(events: list[str]) -> None:
    hedging, sent, copies = HedgePolicy(), 0, 0
    for event in events:
        if event == "sent":
            hedging.count_sent()
            sent += 1
        elif hedging.may_copy:
            hedging.count_copy()
            copies += 1
    assert copies <= MOST_SHARE * sent


def late_s(returned: int, in_flight: int) -> float:
    """After so many requests, of which the n-th in a hundred took n seconds."""
    hedging = HedgePolicy()
    for at in range(returned):
        hedging.count_sent()
        hedging.learn(at % 100, in_flight)
    assert hedging.late_s is not None
    return hedging.late_s


def test_nothing_is_late_before_enough_have_come_back() -> None:
    hedging = HedgePolicy()
    for _ in range(99):
        hedging.learn(1.0, 1)
    assert hedging.late_s is None
    hedging.learn(1.0, 1)
    assert hedging.late_s == 1.0


def test_request_is_late_sooner_the_more_copies_are_left() -> None:
    assert late_s(1000, in_flight=5000) == 99  # 10 copies for 5,000: one in a hundred all the same
    assert late_s(1000, in_flight=100) == 90
    assert late_s(1000, in_flight=40) == 75
    assert late_s(1000, in_flight=1) == 50  # half would be back by themselves


def hello(number: int) -> ChatRequest:
    return ChatRequest(messages=(Message("user", f"Say hello {number}."),), max_tokens=40)


def work_off(engine: Engine, samples: int, workers: int) -> list[tuple[float, Completion]]:
    """When each sample was done, and what it was, in that order."""
    done: list[tuple[float, Completion]] = []
    numbers = count()

    async def work() -> None:
        while (number := next(numbers)) < samples:
            answer = await engine.complete(hello(number))
            done.append((anyio.current_time(), answer))

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(workers):
                tasks.start_soon(work)

    run(main)
    return done


@pytest.mark.parametrize(("latency", "times"), [(TAIL, 4), (Latency(2.0, 1.0), 3)])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_last_samples_do_not_wait_for_stragglers(
    seed: int, latency: Latency, times: float
) -> None:
    took = []
    for hedge in (False, True):
        simulator = Simulator(Scenario(latency=latency), seed=seed)
        transport = SimTransport(simulator)
        engine = Engine(SIM, transport=transport, limits=Limits(concurrency=64), hedge=hedge)
        done = work_off(engine, 5000, 64)
        took.append(done[-1][0] - done[-50][0])
        assert len(done) == 5000
        assert simulator.requests <= 5000 * (1 + MOST_SHARE)
        assert engine.in_flight == 0
    without, hedged = took
    assert hedged < without / times


def test_the_books_hold_both_copies() -> None:
    simulator = Simulator(Scenario(latency=TAIL), seed=1)
    ledger = BudgetLedger(Budget(requests=10_000, tokens=10**9), FREE)
    engine = Engine(
        SIM,
        transport=SimTransport(simulator),
        limits=Limits(concurrency=64),
        budget=ledger,
        hedge=True,
    )
    done = work_off(engine, 2000, 64)
    answers = [answer for _, answer in done]
    assert sum(answer.attempts for answer in answers) == simulator.requests > 2000
    assert engine.counters.requests == simulator.requests
    used = sum(answer.usage.prompt_tokens for answer in answers)
    assert used == engine.counters.usage.prompt_tokens
    assert not ledger.outstanding


def test_copies_that_never_left_cost_the_budget_nothing() -> None:
    simulator = Simulator(Scenario(latency=TAIL), seed=1)
    engine = Engine(
        SIM,
        transport=SimTransport(simulator),
        limits=Limits(concurrency=64),
        budget=BudgetLedger(Budget(requests=1500), FREE),
        hedge=True,
    )
    with pytest.raises(ExceptionGroup):  # of BudgetSpent
        work_off(engine, 2000, 64)
    assert simulator.requests == 1500


def test_pause_of_the_loop_makes_no_request_late() -> None:
    """Its answer came meanwhile, and is read before it counts as late."""

    def stand_still() -> None:
        trigger.recv(1)
        time.sleep(0.2)
        server.send(b"!")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection(sock=client)
        loop.add_reader(trigger, stand_still)  # in a reader: uvloop runs timers after those
        answer = asyncio.ensure_future(reader.readexactly(1))
        loop.call_later(0.05, starter.send, b"!")
        in_time.append(await _wait([answer], 0.1))
        loop.remove_reader(trigger)
        await answer
        writer.close()

    in_time: list[bool] = []
    server, client = socket.socketpair()
    starter, trigger = socket.socketpair()
    with server, starter, trigger:
        anyio.run(main, backend_options={"use_uvloop": True})
    assert in_time == [True]
