"""Helpers of several commands."""

import signal
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from vcgen.cli.common import ensure_distinct, read_known_clips, report_damaged, run_loop
from vcgen.errors import UsageError


def test_a_coroutine_runs_and_signals_are_as_before() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    async def main() -> int:
        await anyio.lowlevel.checkpoint()
        return 3

    assert run_loop(main) == 3
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_an_output_that_is_an_input_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    ensure_distinct(tmp_path / "new", [tmp_path / "a"])
    ensure_distinct(tmp_path / "a", [tmp_path / "missing"])
    for output in ("a", "link"):
        with pytest.raises(UsageError, match=f"{output} is an input of this command"):
            ensure_distinct(tmp_path / output, [tmp_path / "a"])


def test_rows_that_are_not_clips_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "clips.jsonl"
    file.write_text('{"id": "a", "caption": "A cat sleeps."}\n{"id": "nothing"}\n')
    read_known_clips([file], "auto")
    assert capsys.readouterr().err == "vcgen: skipped rows that are not clips: 1\n"
    read_known_clips(None, "auto")
    assert capsys.readouterr().err == ""


def test_damaged_lines_are_counted_by_file(capsys: pytest.CaptureFixture[str]) -> None:
    report_damaged({"records.jsonl": 2, "rejects.jsonl": 1})
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("vcgen: skipped damaged lines in records.jsonl: 2; run the same")
    assert second.startswith("vcgen: skipped damaged lines in rejects.jsonl: 1; run the same")
