"""A disk that refuses one call, or all from one on."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.common import Watched, generate, make_clips, outcome_ids
from vcgen.errors import StoreError, UsageError
from vcgen.pipeline.store.lines import line_id
from vcgen.sim import Latency, Scenario, Simulator

CLIPS = make_clips(26)
CONDITIONS = Scenario(latency=Latency(0.8, 0.5))
FAULTS = {
    # What is refused, with what, whether after the half of it, and whether only once.
    "full": ("write", errno.ENOSPC, True, False),
    "full for a moment": ("write", errno.ENOSPC, True, True),
    "write error": ("write", errno.EIO, False, True),
    "sync error": ("fsync", errno.EIO, False, True),
    "no rename": ("replace", errno.EIO, False, True),
    "no file": ("open", errno.EMFILE, False, True),
}


class FaultyDisk:
    """Stands before the calls of `os` and refuses the n-th, from 1."""

    def __init__(self, fault: str, number: int, patch: pytest.MonkeyPatch) -> None:
        self.refused = 0
        self._name, self._error, self._is_halved, self._once = FAULTS[fault]
        self._left = number
        self._real: Callable[..., Any] = getattr(os, self._name)
        patch.setattr(os, self._name, self._call)

    def _call(self, *arguments: Any, **options: Any) -> Any:
        self._left -= 1
        if self._left > 0 or (self.refused and self._once):
            return self._real(*arguments, **options)
        if self._is_halved and not self.refused:
            file, content = arguments
            self._is_halved = False
            return self._real(file, content[: len(content) // 2])
        self.refused += 1
        raise OSError(self._error, os.strerror(self._error))


def refuse_and_resume(path: Path, fault: str, number: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Do a run whose n-th call is refused, then again; how many requests were sent twice.

    0 calls are refused where a run makes fewer of them; then -1 is returned.
    """
    first, then = (Watched(Simulator(CONDITIONS)) for _ in range(2))
    monkeypatch.setattr(os, "fsync", lambda _: None)  # the disk's own only takes time
    with pytest.MonkeyPatch.context() as patch:
        disk = FaultyDisk(fault, number, patch)
        try:
            generate(CLIPS, output=path, transport=first)
        except (StoreError, UsageError) as error:
            assert os.strerror(FAULTS[fault][1]) in str(error)  # noqa: PT017 - or there was no fault
        else:
            assert not disk.refused, "the run went on as if nothing had been"
            return -1
    for name in ("records.jsonl", "calls.jsonl"):
        lines = (path / name).read_bytes().split(b"\n")[:-1] if (path / name).exists() else ()
        assert None not in map(line_id, lines)
    generate(CLIPS, output=path, transport=then)
    samples = {f"{clip.id}/{task}/0" for clip in CLIPS for task in ("description", "conversation")}
    assert sorted(outcome_ids(path)) == sorted(samples)
    assert not list(path.glob("*.bad"))
    sent = [str(body["messages"]) for body in first.bodies + then.bodies]
    return len(sent) - len({*sent})
