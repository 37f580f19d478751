"""Look whether files are still where they were opened.

A descriptor outlives its path: what is written to a deleted file is lost without an error.

    the path now                      is taken for
    names the file                    in place
    names nothing                     missing
    names another file                missing, unless the file system gave two numbers to the one
                                      file when it was opened, as some network file systems do
    cannot be looked at               in place: nothing is known, and writing reports its own errors
    names a file that is shorter      cut short, at once: another program has emptied it
    than what was written to it

The descriptor's numbers are read at each look, as an overlay changes them when it copies a file up.
A path counts only if two looks in a row miss one, so that a moment's answer of a network file
system stops no run.
"""

import os
from errno import ENOENT, ENOTDIR
from pathlib import Path


class PathWatch:
    """Paths with the descriptors that were opened by them, which stay their owner's."""

    def __init__(self) -> None:
        self._paths: dict[Path, tuple[int, bool]] = {}
        self._sizes: dict[Path, int] = {}  # at least
        self._has_missed = False

    def add(self, path: Path, descriptor: int) -> None:
        """Look for an absolute path from now on."""
        self._paths[path] = descriptor, _names(path, descriptor)

    def expect(self, path: Path, size_bytes: int) -> None:
        """Expect a file to have so many bytes more than before."""
        self._sizes[path] = self._sizes.get(path, 0) + size_bytes

    def cut_short(self) -> Path | None:
        """Return the first path whose file has fewer bytes than expected, None if all have them."""
        for path, size_bytes in self._sizes.items():
            if os.fstat(self._paths[path][0]).st_size < size_bytes:
                return path
        return None

    def missing(self) -> Path | None:
        """Return the first path that does not name its file, None if all do."""
        for path, (descriptor, has_one_number) in self._paths.items():
            try:
                is_here = _names(path, descriptor) or not has_one_number
            except OSError as error:
                is_here = error.errno not in {ENOENT, ENOTDIR}
            if not is_here:
                return path
        return None

    def look(self) -> Path | None:
        """Return a missing path if the last look missed one too."""
        path = self.missing()
        had_missed, self._has_missed = self._has_missed, path is not None
        return path if had_missed else None

    def is_deleted(self, path: Path) -> bool:
        """Whether the file has no name anywhere, so that it is gone once it is closed."""
        return os.fstat(self._paths[path][0]).st_nlink == 0


def _names(path: Path, descriptor: int) -> bool:
    return os.path.samestat(path.stat(), os.fstat(descriptor))
