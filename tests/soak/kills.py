"""Two hundred kills of a run over HTTP."""

import time
from pathlib import Path

import pytest

from tests.support.common import Serving
from tests.support.crashes import CONCURRENCY, kill_again_and_again
from tests.support.story import STEPS


@pytest.mark.timeout(300)
def test_200_kills_lose_nothing_and_repeat_no_answer(serving: Serving, tmp_path: Path) -> None:
    kills, large = 200, [1_000_000, 2_000_000, 4_000_000, 8_000_000] * 3
    began = time.perf_counter()
    evidence, simulator = kill_again_and_again(serving, tmp_path / "run", kills=kills, large=large)
    again = simulator.requests - 10 * kills * STEPS
    print(
        f"\n{kills} kills: {len(evidence.kept):,} lines, 0 lost, 0 doubled, {evidence.torn} torn "
        f"and cut off; {simulator.requests:,} requests, {again} of them again, {again / kills:.1f} "
        f"a kill with {CONCURRENCY} in flight; {time.perf_counter() - began:.0f} s"
    )
