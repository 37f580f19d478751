"""Rows as JSON files, and the small files that some trainers want beside them.

All are replaced whole or not at all. Unlike the run directory they are made to be handed on, so the
umask says who may read them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from vcgen.datasets.export.output import Output, RowWriter
from vcgen.errors import UsageError
from vcgen.pipeline.store.atomic_files import replacing_file

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


class _JsonSink:
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
def _json(path: Path, *, as_array: bool) -> Iterator[_JsonSink]:
    with replacing_file(path) as file:
        sink = _JsonSink(file, as_array=as_array)
        yield sink
        sink.end()


def write_rows(rows: Iterable[bytes], output: Path, *, as_array: bool) -> int:
    """Write rows of JSON as items of an array, or as lines; the file is replaced whole or not.

    Returns:
        How many were written.

    Raises:
        UsageError: the file cannot be written.
    """
    with _json(output, as_array=as_array) as sink:
        for row in rows:
            sink.add_line(row)
    return sink.rows


@contextmanager
def open_json(target: Output) -> Iterator[Sequence[RowWriter]]:
    """A JSON array a side, or JSON lines in files that end in `.jsonl`."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(_json(path, as_array=path.suffix != ".jsonl"))
            for path in target.files
        ]


@contextmanager
def open_internvl(target: Output) -> Iterator[Sequence[RowWriter]]:
    """JSON lines, and beside each file the entry of it that `--meta_path` names.

    Raises:
        UsageError: the file is not named as the trainer demands.
    """
    if target.output.suffix != ".jsonl":
        raise UsageError(f"{target.output}: InternVL reads JSON lines; name a file .jsonl")
    with ExitStack() as stack:
        paths = [path.with_suffix(".meta.json") for path in target.files]
        metas = [stack.enter_context(replacing_file(path)) for path in paths]
        sinks = stack.enter_context(open_json(target))
        yield sinks
        for path, sink, meta in zip(target.files, sinks, metas, strict=True):
            entry = {
                "root": target.root,
                "annotation": str(path),
                "data_augment": False,
                "repeat_time": 1,
                "length": sink.rows,
            }
            meta.write(orjson.dumps({path.stem: entry}, option=_INDENTED))


@contextmanager
def open_llamafactory(target: Output) -> Iterator[Sequence[RowWriter]]:
    """Conversations, and their entries in `dataset_info.json`; those of other files stay there."""
    with _llamafactory(target, {"messages": "conversations"}) as sinks:
        yield sinks


@contextmanager
def open_llamafactory_messages(target: Output) -> Iterator[Sequence[RowWriter]]:
    """The same of messages as OpenAI has them."""
    with _llamafactory(target, {"messages": "messages"}, tags=_TAGS) as sinks:
        yield sinks


@contextmanager
def _llamafactory(
    target: Output, columns: Mapping[str, str], **others: Any
) -> Iterator[Sequence[RowWriter]]:
    path = target.output.with_name(_DATASET_INFO)
    if path in target.files:
        raise UsageError(f"{path} is where LLaMA-Factory looks for names of files; name another")
    with replacing_file(path) as info, open_json(target) as sinks:
        known = _read_dataset_info(path)
        for file in target.files:
            known[file.stem] = {
                "file_name": file.name,
                "formatting": "sharegpt",
                "columns": {**columns, "videos": "videos"},
                **others,
            }
        info.write(orjson.dumps(known, option=_INDENTED))
        yield sinks


def _read_dataset_info(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        known = orjson.loads(path.read_bytes())
    except ValueError as error:
        raise UsageError(f"{path} is not valid JSON; mend it, or write elsewhere") from error
    if not isinstance(known, dict):
        raise UsageError(f"{path} is not an object of data sets; mend it, or write elsewhere")
    return known
