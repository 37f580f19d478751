"""Nothing is lost and nothing paid for twice, wherever a run is killed."""

from pathlib import Path

import pytest
from conftest import Serving
from crashes import kill_again_and_again
from power import fail_again_and_again


def test_kills_anywhere_in_conversations_lose_nothing_and_repeat_no_answer(
    serving: Serving, tmp_path: Path
) -> None:
    kill_again_and_again(serving, tmp_path / "run", kills=12, large=[2_000_000, 8_000_000])


@pytest.mark.parametrize("seed", range(60))
def test_what_was_synced_outlives_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    fail_again_and_again(tmp_path, seed, monkeypatch)
