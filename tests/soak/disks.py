"""500 power cuts, 1,000 flipped bits, each of the first 100 calls refused, 50 racing starts."""

from pathlib import Path

import pytest

from tests.support.disk_faults import FAULTS, refuse_and_resume
from tests.support.power import fail_again_and_again
from tests.support.racing import race
from tests.support.rot import flip_bits


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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: dict[str, list[int]] = {}
    for fault in FAULTS:
        for number in range(1, 101):
            again = refuse_and_resume(tmp_path / fault / f"{number}", fault, number, monkeypatch)
            if again < 0:
                break
            met.setdefault(fault, []).append(again)
    told = ", ".join(f"{fault} {len(sent)} (at most {max(sent)})" for fault, sent in met.items())
    print(f"\nrefused calls, all resumed (and requests again): {told}")


def test_of_fifty_starts_at_once_one_writes(tmp_path: Path) -> None:
    seconds = sorted(racer["seconds"] for racer in race(tmp_path / "run", 50) if racer["said"])
    print(f"\n50 starts at once: {len(seconds)} refused, in {1000 * max(seconds):.0f} ms at most")
    assert len(seconds) == 49


@pytest.mark.timeout(300)
def test_1000_flipped_bits_cost_the_lines_they_are_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, aside = flip_bits(tmp_path / "run", 1000, monkeypatch)
    print(f"\n1,000 flipped bits: {aside} lines set aside, all {kept:,} others kept")
