"""`vcgen report` writes one page, and names how many records it shows."""

from pathlib import Path

from tests.support.common import CLIPS, Command


def test_report_counts_the_records_it_shows(command: Command, tmp_path: Path) -> None:
    run, page = tmp_path / "run", tmp_path / "page.html"
    assert command("generate", CLIPS, "--model", "sim", "-o", run).code == 0
    finished = command("report", run, "-o", page, "--clips", CLIPS, "--max-shown", 1)
    assert (finished.code, finished.out) == (0, "")
    assert f"1 record in {page}" in finished.err
    assert page.read_text("utf-8").startswith("<!doctype html>")


def test_report_refuses_its_clips_as_output(command: Command, tmp_path: Path) -> None:
    run, clips = tmp_path / "run", tmp_path / "clips.jsonl"
    clips.write_bytes(Path(CLIPS).read_bytes())
    assert command("generate", clips, "--model", "sim", "-o", run).code == 0
    finished = command("report", run, "-o", clips, "--clips", clips)
    assert finished.code == 2
    assert "is an input of this command" in finished.err
    assert clips.read_bytes() == Path(CLIPS).read_bytes()
