"""Token buckets: any minute stays within the limit, and every amount is paid for."""

import asyncio
import math

import anyio
import pytest
from hypothesis import given, strategies as st

from tests.support.common import run
from vcgen.engine.limits.per_limit import WINDOW_S
from vcgen.engine.limits.token_bucket import (
    BURST_S,
    SMOOTH_BURST_S,
    TokenBucket,
    bucket_size,
    excess,
)
from vcgen.sim.clock import VirtualClockLoop


@given(st.floats(1, 1e7), st.sampled_from([BURST_S, SMOOTH_BURST_S]))
def test_full_bucket_and_its_refill_stay_within_the_limit(
    per_minute: float, burst_s: float
) -> None:
    capacity, period_s = bucket_size(per_minute, burst_s)
    most = capacity + WINDOW_S * capacity / period_s
    # Requests are whole: where they leave one by one, the part of one that is left leaves none.
    assert (math.floor(most) <= math.ceil(per_minute)) if capacity == 1 else most <= per_minute


@given(st.floats(1, 1e7))
def test_bucket_wastes_at_most_one_percent_of_the_limit(per_minute: float) -> None:
    capacity, period_s = bucket_size(per_minute)
    assert WINDOW_S * capacity / period_s >= 0.99 * per_minute


def test_amount_above_the_capacity_is_paid_in_pieces() -> None:
    async def main() -> None:
        bucket = TokenBucket(1, 600)
        bucket.due = 1200
        await bucket.pay()
        bucket.commit()
        assert 115 < anyio.current_time() < 125
        assert bucket.debt == pytest.approx(0)

    run(main)


def test_debt_is_paid_before_the_next_request() -> None:
    async def main() -> None:
        bucket = TokenBucket(1, 600)
        bucket.debt, bucket.due = 300, 300
        assert not bucket.is_covered
        await bucket.pay()
        assert 58 < anyio.current_time() < 62

    run(main)


def test_bucket_without_a_rate_costs_nothing() -> None:
    async def main() -> None:
        bucket = TokenBucket(0, None)
        bucket.due = 1e9
        assert bucket.is_covered
        await bucket.pay()
        assert anyio.current_time() < 0.1

    run(main)


def test_payment_goes_on_at_a_rate_that_changes_meanwhile() -> None:
    async def main() -> None:
        bucket = TokenBucket(1, 60)
        bucket.due = 600  # ten minutes at this rate

        async def change() -> None:
            await anyio.sleep(60)
            bucket.set_rate(6000, 1.0)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(change)
            await bucket.pay()
        assert anyio.current_time() < 70

    run(main)


def test_lower_rate_counts_what_the_last_minute_sent_beyond_it() -> None:
    assert excess(sent=600, before=600, now=200, burst=1) == 400
    assert excess(sent=10, before=600, now=200, burst=1) == 10
    assert excess(sent=600, before=200, now=600, burst=1) == 1
    assert excess(sent=600, before=None, now=200, burst=1) == 200


@pytest.mark.parametrize(("index", "limit"), [(0, "rpm"), (1, "tpm"), (2, "tpm"), (3, "tpm")])
def test_bucket_names_the_bottleneck_it_is(index: int, limit: str) -> None:
    assert TokenBucket(index, None).limit == limit


def test_pause_saves_up_no_more_than_the_burst() -> None:
    """The clock jumps by an hour, as it does after SIGSTOP: the next seconds are as any others."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualClockLoop)
        bucket, paid_at = TokenBucket(0, 600), list[float]()

        async def pay(count: int) -> None:
            for _ in range(count):
                bucket.due = 1
                await bucket.pay()
                bucket.commit()
                paid_at.append(loop.time())

        await pay(20)
        loop._virtual.now += 3600
        await pay(700)
        after = [at for at in paid_at if at >= 3600]
        for began in after:
            assert sum(began <= at <= began + WINDOW_S for at in after) <= 600

    run(main)
