"""Nothing is lost and nothing paid for twice, wherever a run is killed."""

from pathlib import Path

from conftest import Serving
from crashes import kill_again_and_again


def test_kills_anywhere_in_conversations_lose_nothing_and_repeat_no_answer(
    serving: Serving, tmp_path: Path
) -> None:
    kill_again_and_again(serving, tmp_path / "run", kills=12, large=[2_000_000, 8_000_000])
