"""`vcgen card` prints a card, or writes it to a file that is not one of the run's."""

from pathlib import Path

from tests.support.common import CLIPS, Command


def test_card_without_file_is_printed(command: Command, tmp_path: Path) -> None:
    run, card = tmp_path / "run", tmp_path / "README.md"
    assert command("generate", CLIPS, "--model", "sim", "-o", run).code == 0
    printed = command("card", run, "--name", "Boats", "--license", "cc-by-4.0")
    assert (printed.code, printed.out.splitlines()[0]) == (0, "---")
    assert "# Boats (simulated)" in printed.out
    written = command("card", run, "--name", "Boats", "--license", "cc-by-4.0", "-o", card)
    assert (written.code, written.out) == (0, "")
    assert card.read_text("utf-8") == printed.out


def test_card_refuses_a_file_of_the_run_as_output(command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert command("generate", CLIPS, "--model", "sim", "-o", run).code == 0
    finished = command("card", run, "-o", run / "run.json")
    assert (finished.code, finished.err.count("\n")) == (2, 1)
    assert "is an input of this command" in finished.err
