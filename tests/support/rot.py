"""Single bits of a run directory that flip, and what is left of it then."""

import os
from pathlib import Path
from random import Random

import pytest

from vcgen.data.records import Reason, Record, Reject, Turn
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.store.layout import CALLS, RECORDS, REJECTS
from vcgen.pipeline.store.manifest import Manifest

MANIFEST = Manifest(model="sim")


def flip_bits(path: Path, bits: int, patch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Flip one bit after another, each in an undamaged directory.

    Returns:
        How many lines were kept, and how many set aside.
    """
    random = Random(bits)  # noqa: S311 - repeatable draws
    patch.setattr(os, "fsync", lambda _: None)  # it only takes time
    _fill(path)
    whole = {name: (path / name).read_bytes() for name in (RECORDS, REJECTS, CALLS)}
    kept = aside = 0
    for _ in range(bits):
        name = random.choice(sorted(whole))
        content = bytearray(whole[name])
        at = random.randrange(len(content))
        content[at] ^= 1 << random.randrange(8)
        (path / name).write_bytes(content)
        RunDirectory.open(path, MANIFEST).close()
        lines = whole[name].splitlines(keepends=True)
        hit = whole[name].count(b"\n", 0, at)
        if whole[name][at] != ord("\n"):  # what only lacks its end is whole
            del lines[hit]
            aside += 1
        assert (path / name).read_bytes() == b"".join(lines), (name, at)
        kept += len(lines)
        bad = path / f"{name}.bad"
        assert bytes(content).split(b"\n")[hit] in bad.read_bytes()
        bad.unlink()
        (path / name).write_bytes(whole[name])
    return kept, aside


def _fill(path: Path) -> None:
    run = RunDirectory.open(path, MANIFEST)
    for at in range(6):
        text = f"The boat number {at} leaves. " * (1 + 3 * at)
        turns = (Turn("causal", "Why?", text),)
        run.add(Record(id=f"a-{at}", video="a.mp4", clip_id="a", task="x", turns=turns))
        run.add(Reject(id=f"b-{at}", reason=Reason.REFUSAL, message=text))
        run.keep_call({"id": f"c-{at}", "text": text})
    run.close()
