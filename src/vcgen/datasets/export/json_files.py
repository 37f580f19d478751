"""Write rows as JSON files, and the small files that some trainers expect beside them.

All are replaced whole or not at all.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from vcgen.datasets.export.output import Output, RowWriter
from vcgen.errors import UsageError
from vcgen.pipeline.store.atomic_files import read_bytes, replacing_file

_ARRAY = (b"[\n", b",\n", b"\n]\n", b"]\n")
_LINES = (b"", b"\n", b"\n", b"")
_DATASET_INFO = "dataset_info.json"
_INDENTED = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
}


class _JsonWriter:
    def __init__(self, file: BinaryIO, *, as_array: bool) -> None:
        self.rows = 0
        self._file = file
        before, self._between, self._end, self._end_of_none = _ARRAY if as_array else _LINES
        file.write(before)

    def add(self, row: Mapping[str, Any]) -> None:
        self.add_line(orjson.dumps(row))

    def add_line(self, line: bytes) -> None:
        if self.rows:
            self._file.write(self._between)
        self._file.write(line)
        self.rows += 1

    def end(self) -> None:
        self._file.write(self._end if self.rows else self._end_of_none)


@contextmanager
def _json(path: Path, *, as_array: bool) -> Iterator[_JsonWriter]:
    with replacing_file(path) as file:
        writer = _JsonWriter(file, as_array=as_array)
        yield writer
        writer.end()


def write_rows(rows: Iterable[bytes], output: Path, *, as_array: bool) -> int:
    """Write rows of JSON as items of an array, or as lines; replace the file whole or not at all.

    Returns:
        The number of rows.

    Raises:
        UsageError: the file cannot be written.
    """
    with _json(output, as_array=as_array) as writer:
        for row in rows:
            writer.add_line(row)
    return writer.rows


@contextmanager
def open_json(files: Output) -> Iterator[Sequence[RowWriter]]:
    """Open a JSON array a side, or JSON lines for files that end in `.jsonl`."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(_json(path, as_array=path.suffix != ".jsonl"))
            for path in files.files
        ]


@contextmanager
def open_internvl(files: Output) -> Iterator[Sequence[RowWriter]]:
    """Open JSON lines, and beside each file its entry for `--meta_path`.

    Raises:
        UsageError: the file name does not end as the trainer requires.
    """
    if files.output.suffix != ".jsonl":
        raise UsageError(f"{files.output}: InternVL reads JSON lines; name a file .jsonl")
    with ExitStack() as stack:
        paths = [path.with_suffix(".meta.json") for path in files.files]
        metas = [stack.enter_context(replacing_file(path)) for path in paths]
        writers = stack.enter_context(open_json(files))
        yield writers
        for path, writer, meta in zip(files.files, writers, metas, strict=True):
            entry = {
                "root": files.root,
                "annotation": str(path),
                "data_augment": False,
                "repeat_time": 1,
                "length": writer.rows,
            }
            meta.write(orjson.dumps({path.stem: entry}, option=_INDENTED))


@contextmanager
def open_llamafactory(
    files: Output, *, key: str = "conversations", **others: Any
) -> Iterator[Sequence[RowWriter]]:
    """Open JSON files, and add them to `dataset_info.json`, keeping its other entries.

    Args:
        files: to write.
        key: of the messages in a row.
        others: further fields of an entry.
    """
    path = files.output.with_name(_DATASET_INFO)
    if path in files.files:
        raise UsageError(f"{path} is the index that LLaMA-Factory reads; name another file")
    with replacing_file(path) as info, open_json(files) as writers:
        entries = _read_dataset_info(path)
        for file in files.files:
            entries[file.stem] = {
                "file_name": file.name,
                "formatting": "sharegpt",
                "columns": {"messages": key, "videos": "videos"},
                **others,
            }
        info.write(orjson.dumps(entries, option=_INDENTED))
        yield writers


open_llamafactory_messages = partial(open_llamafactory, key="messages", tags=_TAGS)
"""As `open_llamafactory`, of messages in OpenAI's layout."""


def _read_dataset_info(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        entries = orjson.loads(read_bytes(path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is not valid JSON; repair it, or write elsewhere") from error
    if not isinstance(entries, dict):
        raise UsageError(f"{path} is not an object of data sets; repair it, or write elsewhere")
    return entries
