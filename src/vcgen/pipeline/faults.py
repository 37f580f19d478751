"""Decide who is at fault when a sample fails: the author of its task, or vcgen and the machine.

Pure functions of an exception and the file of the task's function.

    raised                                       becomes
    VcgenError                                   itself: the endpoint or a template decided
    MemoryError, or OSError of an exhausted      InternalError: the machine's, wherever it was
    machine                                      raised
    in the task's file, or in a library that it  SampleRejected (`task_error`) with file and line
    called directly
    anywhere else: vcgen, or a library that      InternalError with file and line
    vcgen called
    an ExceptionGroup                            its most far-reaching part: what stops the run,
                                                 else the first reject

An InternalError stops the run, unless the sample alone repeats it (`isolation`).
"""

import errno
import inspect
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vcgen.data.records import Reason
from vcgen.errors import InternalError, SampleRejected, VcgenError
from vcgen.tasks.task import Task

_PACKAGE = Path(__file__).parents[1]
# Any other sample would fail in the same way.
_EXHAUSTED = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC, errno.EDQUOT, errno.EIO}
)


class _Frame(NamedTuple):
    file: str
    line: int

    @property
    def is_ours(self) -> bool:
        return Path(self.file).is_relative_to(_PACKAGE)

    def __str__(self) -> str:
        path = Path(self.file)
        shown = path.relative_to(_PACKAGE.parent) if self.is_ours else path.name
        return f"{shown}:{self.line}"


def ending_of(error: Exception, task: Task) -> VcgenError:
    """Return the error that ends a failed sample: SampleRejected, or one that stops the run."""
    if isinstance(error, VcgenError):
        return error
    if isinstance(error, ExceptionGroup):
        endings = [ending_of(part, task) for part in error.exceptions]
        return min(endings, key=lambda ending: isinstance(ending, SampleRejected))
    at = _authors_frame(error, task)
    if at is None:
        return stopped_by(error)
    if isinstance(error, MemoryError) or getattr(error, "errno", None) in _EXHAUSTED:
        return _stop(error, at)
    return SampleRejected(
        Reason.TASK_ERROR, f"the task {task.name} failed at {at}: {_one_line(error)}"
    )


def stopped_by(error: Exception) -> VcgenError:
    """Return the error that stops the run, for an error that is not a sample's."""
    if isinstance(error, VcgenError):
        return error
    frames = list(_frames(error))
    # The innermost line of vcgen is more useful than one of a library below it.
    ours = [frame for frame in frames if frame.is_ours]
    return _stop(error, (ours or frames)[-1])


def _stop(error: Exception, at: "_Frame") -> InternalError:
    return InternalError(f"an error that no sample caused, at {at}: {_one_line(error)}")


def unusable_result(task: Task, message: str) -> SampleRejected:
    """Return the reject for a task that returned something other than turns."""
    at = _Frame(*_source(task))
    return SampleRejected(Reason.TASK_ERROR, f"the task {task.name} at {at} returned {message}")


def _authors_frame(error: Exception, task: Task) -> _Frame | None:
    """Return the line of the task's file that an error comes from, None if from elsewhere."""
    file, _ = _source(task)
    if _Frame(file, 0).is_ours:
        return None
    last = None
    for frame in _frames(error):
        if frame.file == file:
            last = frame
        elif frame.is_ours:
            last = None  # the task has called into vcgen
    return last


def _source(task: Task) -> tuple[str, int]:
    function = inspect.unwrap(task.function)
    if not hasattr(function, "__code__"):  # an object that can be called
        function = type(function).__call__
    code = function.__code__
    return code.co_filename, code.co_firstlineno


def _frames(error: Exception) -> Iterator[_Frame]:
    """Yield the frames of an error, the one that raised it last."""
    for frame, line in traceback.walk_tb(error.__traceback__):
        yield _Frame(frame.f_code.co_filename, line)


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
