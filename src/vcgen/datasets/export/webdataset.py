"""Write records as WebDataset shards: tar files with one JSON file a record."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tarfile import TarFile, TarInfo
from typing import Any
from urllib.parse import quote

import orjson

from vcgen.data.hashing import hash_hex
from vcgen.datasets.export.output import Output, RowWriter
from vcgen.datasets.export.output_directory import replacing_directory

_ROWS = 10_000
_LONGEST_KEY = 200  # so that any file system takes it, with an ending
_PLAIN = re.compile(r"[\w-]+", re.ASCII)


def key_of(name: str) -> str:
    """Make a file name of a record's id, without dots: readers take the first for the suffix."""
    key = name if _PLAIN.fullmatch(name) else quote(name, safe="").replace(".", "%2E")
    key = key.replace("~", "%7E")
    return key if len(key) <= _LONGEST_KEY else f"{key[: _LONGEST_KEY - 17]}-{hash_hex(name)}"


class _Shards:
    def __init__(self, directory: Path, side: str) -> None:
        self.rows = 0
        self._directory, self._side = directory, side
        self._tar: TarFile | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        if self.rows % _ROWS == 0 or self._tar is None:
            self.close()
            name = f"{self._side}-{self.rows // _ROWS:06}.tar"
            self._tar = TarFile.open(self._directory / name, "x")
        content = orjson.dumps(row)
        entry = TarInfo(f"{key_of(row['id'])}.json")
        entry.size = len(content)
        self._tar.addfile(entry, BytesIO(content))
        self.rows += 1

    def close(self) -> None:
        if self._tar is not None:
            self._tar.close()


@contextmanager
def open_shards(files: Output) -> Iterator[Sequence[RowWriter]]:
    """Open a directory of shards `<side>-000000.tar`."""
    with replacing_directory(files.output) as directory:
        writers = [_Shards(directory, side) for side in files.sides]
        try:
            yield writers
        finally:
            for writer in writers:
                writer.close()
