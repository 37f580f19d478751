"""A deadline that is noticed late leaves time to read what came before it was."""

import asyncio

import anyio
import pytest

from tests.support.common import run
from vcgen.engine.transport.deadline import GRACE_S, POLL_S, fail_at, grace_s


@pytest.mark.parametrize(
    ("late_s", "granted_s"), [(0.0, POLL_S), (0.2, 0.2), (1.0, GRACE_S), (3600.0, GRACE_S)]
)
def test_grace_is_as_long_as_the_delay_within_bounds(late_s: float, granted_s: float) -> None:
    assert grace_s(late_s) == granted_s


def test_body_is_cancelled_at_the_deadline() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + 5
        with pytest.raises(TimeoutError):
            async with fail_at(deadline):
                await anyio.sleep(60)
        assert loop.time() == pytest.approx(deadline + POLL_S, abs=0.01)

    run(main)


def test_body_that_ends_in_time_is_left_alone() -> None:
    async def main() -> None:
        async with fail_at(asyncio.get_running_loop().time() + 5):
            await anyio.sleep(1)
        await anyio.sleep(60)

    run(main)
