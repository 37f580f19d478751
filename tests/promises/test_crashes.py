"""Nothing is lost and nothing paid for twice, whatever ends a run. tests/soak has the full size."""

from pathlib import Path

import pytest

from tests.support.common import LIMITS, Serving, outcome_ids
from tests.support.crashes import kill_again_and_again
from tests.support.disk_faults import FAULTS, refuse_and_resume
from tests.support.power import fail_again_and_again
from tests.support.racing import race
from tests.support.rot import flip_bits
from vcgen.pipeline.store.read import read_rejects


def test_kills_in_conversations_lose_and_repeat_no_answer(serving: Serving, tmp_path: Path) -> None:
    kill_again_and_again(serving, tmp_path / "run", kills=12, large=[2_000_000, 8_000_000])


@pytest.mark.parametrize("seed", range(40))
def test_what_was_synced_outlives_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    fail_again_and_again(tmp_path, seed, monkeypatch)


def test_of_fifty_starts_at_once_one_writes_the_run(tmp_path: Path) -> None:
    raced = race(tmp_path / "run", 50)
    refused = [racer["said"] for racer in raced if racer["said"]]
    assert refused == [f"{tmp_path / 'run'}: another process is writing this run"] * 49
    assert len({row.id.partition("-")[0] for row in read_rejects(tmp_path / "run")}) == 1
    assert len(outcome_ids(tmp_path / "run")) == 100


@pytest.mark.parametrize("number", [1, 5, 20, 70])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_refusing_disk_loses_at_most_calls_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, number: int
) -> None:
    again = refuse_and_resume(tmp_path / "run", fault, number, monkeypatch)
    assert again <= (LIMITS.concurrency or 0)


def test_a_flipped_bit_costs_the_line_it_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip_bits(tmp_path / "run", 40, monkeypatch)
