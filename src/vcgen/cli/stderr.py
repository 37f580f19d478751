"""Standard error, written in a thread of its own: no terminal and no pipe can hold a run.

A write waits while a terminal is stopped by Ctrl-S, an ssh session hangs or nobody reads a pipe.
Only the thread waits then; it is a daemon, so it does not keep the process from ending. The
descriptor stays as it is: a non-blocking one would be non-blocking for the user's shell too.

    posted     while an earlier write waits
    a line     is kept; lines beyond `PENDING_BYTES` are dropped, counted, and reported later
    a frame    replaces the frame that is not drawn yet

One write brings all up to date: it erases the frame, adds the lines and draws the new frame.
"""

import io
import os
import select
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from threading import Condition, Thread
from typing import NamedTuple, TextIO

PATIENCE_S = 2.0
PENDING_BYTES = 1 << 20


class _Frame(NamedTuple):
    data: bytes = b""
    height: int = 0  # lines


class StderrWriter:
    """Writes lines, and below them a frame that the next one replaces.

    A `sys.stderr` without a descriptor, such as a test's, is written to at once.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._thread: Thread | None = None
        self._descriptor = 2
        self._lines = bytearray()
        self._dropped = 0
        self._drawn = self._frame = _Frame()
        self._is_writing = False
        self._is_stuck = False

    @property
    def is_idle(self) -> bool:
        """Whether all that was posted is written."""
        return not (self._is_writing or self._lines) and self._frame is self._drawn

    def line(self, text: str) -> None:
        """Post a line."""
        self._post(f"{text}\n")

    def frame(self, lines: Sequence[str]) -> None:
        """Post a frame; its lines may have colours. Without lines the last frame is erased."""
        self._post("".join(f"{line}\n" for line in lines), len(lines))

    def wait(self) -> None:
        """Wait until all is written, at most `PATIENCE_S`, and not again while nothing moves."""
        with self._changed:
            if not self._is_stuck:
                self._is_stuck = not self._changed.wait_for(lambda: self.is_idle, PATIENCE_S)

    @contextmanager
    def above_frame(self) -> Iterator[None]:
        """Post what is printed to the terminal meanwhile as lines."""
        stderr, stdout = _Lines(self, sys.stderr), _Lines(self, sys.stdout)
        try:
            with (
                redirect_stderr(stderr),
                redirect_stdout(stdout if stdout.isatty() else sys.stdout),
            ):
                yield
        finally:
            stderr.end()
            stdout.end()

    def _post(self, text: str, height: int | None = None) -> None:
        if (stream := sys.stderr) is None:
            return  # it was closed when the interpreter started
        try:
            descriptor = stream.fileno()
        except (AttributeError, OSError, ValueError):
            with suppress(OSError):
                stream.write(text)
                stream.flush()
            return
        data = text.encode(stream.encoding or "utf-8", "backslashreplace")
        with self._changed:
            self._descriptor = descriptor
            if height is not None:
                self._frame = _Frame(data, height)
            elif len(self._lines) < PENDING_BYTES:
                self._lines += data
            else:
                self._dropped += 1
            if self._thread is None:
                self._thread = Thread(target=self._work, name="vcgen-stderr", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not self.is_idle)
                descriptor, data = self._descriptor, self._take()
                self._is_writing = True
            with suppress(OSError):
                write_all(descriptor, data)
            with self._changed:
                self._is_writing = self._is_stuck = False
                self._changed.notify_all()

    def _take(self) -> bytes:
        """Return the bytes that bring all up to date."""
        height, lines = self._drawn.height, bytes(self._lines)
        if self._dropped:
            lines += f"vcgen: lines not shown, as nothing took them: {self._dropped:,}\n".encode()
        self._lines.clear()
        self._dropped, self._drawn = 0, self._frame
        erase = f"\r\x1b[{height}A\x1b[J".encode() if height else b""
        return erase + lines + self._frame.data


class _Lines(io.TextIOBase):
    """A text stream that posts its lines; in all else it is like the stream it replaces."""

    def __init__(self, writer: StderrWriter, stream: TextIO | None) -> None:
        self._writer, self._stream = writer, stream
        self._rest = ""

    @property
    def encoding(self) -> str:  # type: ignore[override] # a property in TextIOBase too
        return getattr(self._stream, "encoding", "utf-8")

    def fileno(self) -> int:
        return -1 if self._stream is None else self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._writer.line(line)
        return len(text)

    def end(self) -> None:
        """Post a last line without its end."""
        if self._rest:
            self.write("\n")


def write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes, even where another process has made the descriptor non-blocking."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            room = select.poll()
            room.register(descriptor, select.POLLOUT)
            room.poll()


STDERR = StderrWriter()
