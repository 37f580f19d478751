"""Two hundred kills, five hundred power cuts, a hundred calls refused in each way, fifty starts."""

import time
from pathlib import Path

import pytest
from conftest import Serving
from crashes import CONCURRENCY, STEPS, kill_again_and_again
from disk_faults import FAULTS, refuse_and_resume
from power import fail_again_and_again
from racing import race


@pytest.mark.timeout(300)
def test_200_kills_lose_nothing_and_repeat_no_answer(serving: Serving, tmp_path: Path) -> None:
    kills, large = 200, [1_000_000, 2_000_000, 4_000_000, 8_000_000] * 3
    began = time.perf_counter()
    evidence, simulator = kill_again_and_again(serving, tmp_path / "run", kills=kills, large=large)
    again = simulator.requests - 10 * kills * STEPS
    print(
        f"\n{kills} kills: {len(evidence.kept):,} lines, 0 lost, 0 doubled, {evidence.torn} torn and "
        f"cut off; {simulator.requests:,} requests, {again} of them again, {again / kills:.1f} "
        f"a kill with {CONCURRENCY} in flight; {time.perf_counter() - began:.0f} s"
    )


@pytest.mark.timeout(300)
def test_500_power_cuts_lose_nothing_that_was_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = 0
    for seed in range(500):
        directory = tmp_path / f"{seed}"
        directory.mkdir()
        lost += fail_again_and_again(directory, seed, monkeypatch)
    print(f"\n500 seeds of power cuts: 0 synced lines lost, {lost:,} that were not synced yet")


@pytest.mark.timeout(300)
def test_each_of_the_first_100_calls_refused_stops_the_run_and_it_can_be_resumed(
    tmp_path: Path,
) -> None:
    again = [
        refuse_and_resume(tmp_path / fault / f"{number}", fault, number)
        for fault in FAULTS
        for number in range(1, 101)
    ]
    met = [sent for sent in again if sent >= 0]
    print(f"\n{len(met)} runs with a refused call: all resumed, at most {max(met)} requests again")


def test_of_fifty_commands_at_once_one_writes(tmp_path: Path) -> None:
    seconds = sorted(racer["seconds"] for racer in race(tmp_path / "run", 50) if racer["said"])
    print(f"\n50 starts at once: {len(seconds)} refused, in {1000 * max(seconds):.0f} ms at most")
    assert len(seconds) == 49
