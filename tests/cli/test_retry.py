"""`vcgen retry`: which rejects it moves, and what it says."""

from pathlib import Path

import pytest

from tests.support.common import CLIPS, Command, Serving
from vcgen.sim import Simulator, parse_faults


@pytest.fixture
def rejected(command: Command, serving: Serving, tmp_path: Path) -> Path:
    """A run whose samples are all rejected."""
    url, run = serving(Simulator(faults=parse_faults("length:1"))), tmp_path / "run"
    assert command("generate", CLIPS, "--model", "sim", "--base-url", url, "-o", run).code == 4
    return run


def test_the_same_command_makes_the_samples_again(
    command: Command, serving: Serving, rejected: Path
) -> None:
    moved = command("retry", rejected)
    assert (moved.code, moved.out) == (0, "")
    assert "moved aside: truncated 12; the same `vcgen generate`" in moved.err
    url = serving(Simulator())
    again = command("generate", CLIPS, "--model", "sim", "--base-url", url, "-o", rejected)
    assert again.code == 0
    assert "records   12" in again.err
    assert "no such rejects" in command("retry", rejected).err


def test_reasons_are_chosen(command: Command, rejected: Path) -> None:
    assert "no such rejects" in command("retry", rejected, "--reason", "leak,network").err
    wrong = command("retry", rejected, "--reason", "leak,typo")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "unknown reason 'typo'; choose from all, bad_request" in wrong.err
    assert "truncated 12" in command("retry", rejected, "--reason", "all").err


def test_a_directory_without_a_run_is_wrong_use(command: Command, tmp_path: Path) -> None:
    assert command("retry", tmp_path).code == 2
