"""A disk whose power fails, as SQLite models it: only what was synced is sure to be there after.

Of the rest each name and each sector of 512 bytes is, at random, as it was last written, as before,
zeros or garbage. Takes the place of `os.fsync`; the files are real.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from tests.support.common import outcome_ids
from vcgen.data.records import Reason, Record, Reject, Turn
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.store.layout import RECORDS
from vcgen.pipeline.store.manifest import Manifest

MANIFEST = Manifest(model="sim")
ROT = b"rotten" * 20
_SECTOR = 512


class PowerCut(BaseException):
    """The machine is off."""


class Disk:
    """The disk below one directory.

    Attributes:
        fuse: how many calls of `fsync` are left until the power fails in the middle of one.
    """

    def __init__(self, root: Path, image: Path, random: Random) -> None:
        self.fuse = -1
        self._root, self._image, self._random = root, image, random
        self._contents: dict[int, bytes] = {}
        self._names = self._listing()
        for inode in self._names.values():
            self._contents[inode] = self._read(inode)
        self._held: list[int] = []  # so that no inode gets a second life

    def fsync(self, descriptor: int) -> None:
        """What `os.fsync` is to be."""
        is_last = self.fuse == 0
        self.fuse -= 1
        if is_last and self._random.random() < 0.7:
            self._cut()
        self.sync(descriptor)
        if is_last:
            self._cut()

    def close(self) -> None:
        for descriptor in self._held:
            os.close(descriptor)

    def sync(self, descriptor: int) -> None:
        """From now on, what the file or directory holds is sure."""
        known = os.fstat(descriptor)
        if stat.S_ISREG(known.st_mode):
            if known.st_ino not in self._contents:
                self._held.append(os.dup(descriptor))
            self._contents[known.st_ino] = Path(f"/proc/self/fd/{descriptor}").read_bytes()
        elif known.st_ino == self._root.stat().st_ino:
            self._names = self._listing()

    def _listing(self) -> dict[str, int]:
        found = os.scandir(self._root) if self._root.exists() else ()
        return {entry.name: entry.inode() for entry in found}

    def _read(self, inode: int) -> bytes:
        names = [name for name, known in self._listing().items() if known == inode]
        return (self._root / names[0]).read_bytes() if names else self._contents[inode]

    def _cut(self) -> None:
        """Leave what may be found when the power is back."""
        self._image.mkdir()
        written = self._listing()
        for name in sorted({*written, *self._names}):
            inode = self._random.choice((written.get(name), self._names.get(name)))
            if inode is not None:
                (self._image / name).write_bytes(self._left_of(inode))
        raise PowerCut

    def _left_of(self, inode: int) -> bytes:
        random, sure = self._random, self._contents.get(inode, b"")
        written = self._read(inode)
        if not written.startswith(sure):
            return random.choice((written, sure))
        left = bytearray(written[: random.randint(len(sure), len(written))])
        at = len(sure)
        while at < len(left):
            end = min(len(left), at - at % _SECTOR + _SECTOR)
            kind = random.choice(("written", "written", "zeros", "garbage"))
            if kind != "written":
                left[at:end] = bytes(end - at) if kind == "zeros" else random.randbytes(end - at)
            at = end
        return bytes(left)


class Life:
    """What processes append and sync until the power fails.

    Attributes:
        added, synced: names of what was appended, and of what was so when a sync returned.
        lost: how many were appended after the last sync and are gone.
    """

    def __init__(self) -> None:
        self.added, self.synced = set[str](), set[str]()
        self.lost = 0

    def spend(self, path: Path, random: Random) -> None:
        """The life of one process."""
        run = RunDirectory.open(path, MANIFEST)
        try:
            here = {name for name in self.added if is_there(run, name)}
            assert here >= self.synced, "what was synced is gone"
            self.lost += len(self.added) - len(here)
            self.added, self.synced = {*here}, here  # opening has put it on the disk
            for _ in range(20):
                name = f"{random.choice('abc')}{random.randrange(10**9)}"
                add(run, name, "x" * random.choice((1, 40, 700, 3000)))
                self.added.add(name)
                if random.random() < 0.03:
                    return  # as killed
                if random.random() < 0.2:
                    run.sync()
                    self.synced |= self.added
            run.sync()
            self.synced |= self.added
            run.finish()
        finally:
            run.close()


def add(run: RunDirectory, name: str, text: str) -> None:
    if name.startswith("a"):
        turns = (Turn("causal", "Why?", text),)
        run.add(Record(id=name, video="a.mp4", clip_id=name, task="x", turns=turns))
    elif name.startswith("b"):
        run.add(Reject(id=name, reason=Reason.REFUSAL, message=text))
    else:
        run.keep_call({"id": name, "text": text})


def is_there(run: RunDirectory, name: str) -> bool:
    return run.find_call(name) is not None if name.startswith("c") else run.is_done(name)


def fail_again_and_again(directory: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Kill processes and cut the power; how many lines that cost, none of which was synced."""
    random = Random(seed)  # noqa: S311 - repeatable draws
    life, rots = Life(), False
    path, image = directory / "0", directory / "1"
    disk = Disk(path, image, random)
    for number in range(6):
        if number == 2 and (rots := (path / RECORDS).exists()):
            with (path / RECORDS).open("ab") as file:
                file.write(b"\n" + ROT + b"\n")
                file.flush()
                disk.sync(file.fileno())
        disk.fuse = random.randrange(25) if number < 5 else -1
        monkeypatch.setattr(os, "fsync", disk.fsync)
        with suppress(PowerCut):
            life.spend(path, random)
        if image.exists():
            disk.close()
            path, image = image, directory / f"{number + 2}"
            disk = Disk(path, image, random)
    disk.close()
    ends = outcome_ids(path)
    assert sorted(ends) == sorted(name for name in life.added if not name.startswith("c"))
    assert not rots or ROT in (path / f"{RECORDS}.bad").read_bytes()
    return life.lost
