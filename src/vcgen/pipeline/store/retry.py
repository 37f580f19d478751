"""Move rejects of a run directory aside, so that the next run makes their samples again.

    moved                                      to
    a reject of a chosen reason                retried.jsonl, where its cost still counts
    the calls of its sample, if it is the      retried-calls.jsonl: the same replies would be
    replies that were unusable                 rejected again

A line is on the disk in the one file before it is taken from the other, so a crash between leaves
it in both, and the next call completes the move.
"""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from errno import EBUSY
from pathlib import Path

from vcgen.data.records import Reason
from vcgen.errors import StoreError, UsageError
from vcgen.pipeline.store import atomic_files, layout
from vcgen.pipeline.store.layout import CALLS, LOCK, MANIFEST, REJECTS, RETRIED, RETRIED_CALLS
from vcgen.pipeline.store.lines import decode_line
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.totals import totals_of

# The endpoint's, the machine's or the code's: another try may succeed with the same text.
CAN_PASS = frozenset(
    {
        Reason.BAD_REQUEST,
        Reason.SERVER_ERROR,
        Reason.NETWORK,
        Reason.TIMEOUT,
        Reason.THROTTLED,
        Reason.INVALID_RESPONSE,
        Reason.TRUNCATED,
        Reason.UNJUDGED,
        Reason.TASK_ERROR,
        Reason.INTERNAL_ERROR,
    }
)
_BY_REPLY = frozenset(
    {
        Reason.CONTENT_FILTER,
        Reason.REFUSAL,
        Reason.TRUNCATED,
        Reason.INVALID_REPLY,
        Reason.FAILED_CHECKS,
        Reason.LEAK,
        Reason.CONTRADICTED,
    }
)


def set_aside(run: Path, reasons: Collection[Reason]) -> Counter[str]:
    """Move the rejects of some reasons aside; returns how many, by reason.

    Raises:
        UsageError: not a run directory, or another process is writing it.
        StoreError: the disk refuses.
    """
    manifest = Manifest.read(run)
    layout.require_ours(run)
    moved, samples = Counter[str](), set[str]()

    def is_chosen(line: bytes) -> bool:
        reject = decode_line(line)
        if reject["reason"] not in reasons:
            return False
        moved[reject["reason"]] += 1
        if reject["reason"] in _BY_REPLY:
            samples.add(reject["id"])
        return True

    with _locked(run):
        try:
            _move(run, REJECTS, RETRIED, is_chosen)
            _move(run, CALLS, RETRIED_CALLS, lambda line: decode_line(line)["sample"] in samples)
            if moved and manifest.counts:
                counted = replace(manifest, counts=totals_of(run).to_json())
                with atomic_files.replacing(run / MANIFEST) as file:
                    file.write(counted.encode())
        except OSError as error:
            raise StoreError(f"{run}: cannot move rejects aside: {error.strerror}") from error
    return moved


def _move(run: Path, name: str, aside: str, is_chosen: Callable[[bytes], bool]) -> None:
    for path in layout.parts(run, name):
        kept, chosen = list[bytes](), list[bytes]()
        for whole, damaged in atomic_files.scan_lines(path):
            for _, line in whole:
                (chosen if is_chosen(line) else kept).append(line + b"\n")
            if damaged is not None:  # the next run repairs it
                kept.append(damaged + b"\n")
        if not chosen:
            continue
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        with os.fdopen(atomic_files.open_private(run / aside, flags), "ab") as file:
            file.writelines(chosen)
            file.flush()
            os.fsync(file.fileno())
        atomic_files.sync_path(run)
        with atomic_files.replacing(path) as file:
            file.writelines(kept)


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    try:
        descriptor = atomic_files.open_private(run / LOCK, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise UsageError(f"{run}: cannot write there: {error.strerror}") from error
    try:
        atomic_files.lock(descriptor)
        yield
    except OSError as error:
        if error.errno == EBUSY:
            raise UsageError(f"{run}: another process is writing this run") from error
        raise
    finally:
        os.close(descriptor)
