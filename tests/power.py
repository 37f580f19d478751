"""A disk whose power fails, as SQLite models it: only what was synced is sure to be there after.

Of the rest each name and each sector of 512 bytes is, at random, as it was last written, as before,
zeros or garbage. Takes the place of `os.fsync`; the files are real.
"""

import os
import stat
from pathlib import Path
from random import Random

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
        if is_last := self.fuse == 0:
            self._fail_before_or_after(descriptor)
        self.fuse -= 1
        self._sync(descriptor)
        if is_last:
            self._cut()

    def close(self) -> None:
        for descriptor in self._held:
            os.close(descriptor)

    def _fail_before_or_after(self, descriptor: int) -> None:
        if self._random.random() < 0.7:
            self._cut()

    def _sync(self, descriptor: int) -> None:
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
