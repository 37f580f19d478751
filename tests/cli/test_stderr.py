"""Standard error: written in order, never waited for, and no frame but the newest is drawn."""

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from threading import Thread

import pytest

from tests.support.blocked import Blocked, blocked, read_until
from vcgen.cli import stderr
from vcgen.cli.stderr import PENDING_BYTES, StderrWriter, write_all


@contextmanager
def full_stderr() -> Iterator[Blocked]:
    """A full pipe as standard error; not a fixture, as pytest sets the stream anew for the call."""
    with (
        blocked() as ends,
        open(ends.write_end, "w", encoding="utf-8", closefd=False) as stream,
        redirect_stderr(stream),
    ):
        yield ends


def test_lines_wait_for_a_reader_and_keep_their_order() -> None:
    with full_stderr() as full:
        writer = StderrWriter()
        for at in range(100):
            writer.line(f"line {at}")
        assert not writer.is_idle
        text = read_until(full.read_end, "line 99\n")
        assert text.splitlines() == [f"line {at}" for at in range(100)]
        writer.wait()
        assert writer.is_idle


def test_frames_that_nothing_took_are_dropped() -> None:
    with full_stderr() as full:
        writer = StderrWriter()
        for at in range(100):
            writer.frame([f"frame {at}", "second line"])
        writer.line("the end")
        text = read_until(full.read_end, "frame 99\nsecond line\n")
        # The first may have been on its way already.
        assert text.count("frame ") <= 2
        assert "the end" in text


def test_a_frame_is_erased_before_lines_and_drawn_below_them() -> None:
    with full_stderr() as full:
        writer = StderrWriter()
        writer.frame(["one", "two"])
        assert read_until(full.read_end, "two\n") == "one\ntwo\n"
        writer.line("a line")
        assert read_until(full.read_end, "two\n") == "\r\x1b[2A\x1b[Ja line\none\ntwo\n"
        writer.wait()
        writer.frame(())
        assert read_until(full.read_end, r"\x1b\[J") == "\r\x1b[2A\x1b[J"
        writer.wait()
        writer.line("after")
        assert read_until(full.read_end, "\n") == "after\n"


def test_waiting_ends_and_does_not_begin_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with full_stderr() as full:
        writer = StderrWriter()
        writer.line("a line")
        monkeypatch.setattr(stderr, "PATIENCE_S", 0.01)
        writer.wait()
        monkeypatch.setattr(stderr, "PATIENCE_S", 3600.0)
        writer.line("another")
        writer.wait()
        assert not writer.is_idle
        read_until(full.read_end, "another\n")
        writer.wait()
        assert writer.is_idle
        writer.line("a third")
        writer.wait()
        assert writer.is_idle


def test_lines_beyond_the_bound_are_counted() -> None:
    line, posted = "x" * 1023, 2 * PENDING_BYTES // 1024
    with full_stderr() as full:
        writer = StderrWriter()
        for _ in range(posted):
            writer.line(line)
        text = read_until(full.read_end, r"took them: [\d,]+\n")
        writer.line("and on")
        text += read_until(full.read_end, r"and on\n")
        dropped = re.findall(r"took them: ([\d,]+)", text)
        assert text.count(line) + sum(int(x.replace(",", "")) for x in dropped) == posted


def test_printed_text_appears_above_the_frame(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with full_stderr() as full:
        writer, err = StderrWriter(), sys.stderr
        with writer.above_frame():
            sys.stderr.write("one\ntwo")
            sys.stderr.write("half")
            sys.stdout.write("standard output is no terminal\n")
            assert sys.stderr.fileno() == full.write_end
        assert sys.stderr is err
        assert read_until(full.read_end, "half\n") == "one\ntwohalf\n"
        assert capsys.readouterr().out == "standard output is no terminal\n"


def test_a_terminal_on_standard_output_is_kept_clean_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with full_stderr() as full:
        terminal = io.StringIO()
        monkeypatch.setattr(terminal, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stdout", terminal)
        writer = StderrWriter()
        with writer.above_frame():
            sys.stdout.write("from a task\n")
        assert terminal.getvalue() == ""
        assert read_until(full.read_end, "\n") == "from a task\n"


def test_a_stream_that_is_closed_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    writer = StderrWriter()
    writer.line("a line")
    writer.wait()
    assert writer.is_idle


def test_a_non_blocking_descriptor_takes_all_of_it() -> None:
    """Another process may have set the flag, which all that share a terminal have in common."""
    with blocked() as ends:
        os.set_blocking(ends.write_end, False)
        os.read(ends.read_end, 1 << 20)
        text = b"x" * 200_000
        writing = Thread(target=write_all, args=(ends.write_end, text))
        writing.start()
        received = b""
        while len(received) < len(text):
            received += os.read(ends.read_end, 65_536)
        writing.join()
        assert received == text
