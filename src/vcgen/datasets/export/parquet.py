"""Records as Parquet, and as a data set of the Hugging Face hub.

The only module that knows pyarrow. Rows are written in groups, so that memory does not grow with
their number.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from vcgen.datasets.export.output import Output, RowWriter
from vcgen.datasets.export.output_directory import replacing_directory
from vcgen.errors import UsageError
from vcgen.pipeline.store.atomic_files import replacing_file

_GROUP_ROWS = 8192
_GROUP_CHARACTERS = 32 << 20
_FILE_BYTES = 256 << 20  # about half of what datasets itself makes a file
# The other columns hardly ever say the same twice.
_REPEATING = ["task", "model", "kinds.list.element", "flags.list.element"]
_LISTS = ("kinds", "flags")
_CELLS = ("id", "video", "clip_id", "task", "ground", "model", "simulated", "meta")


def _import() -> tuple[Any, Any]:
    try:
        # An extra that few need.
        import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise UsageError("Parquet needs the package pyarrow: pip install 'vcgen[hf]'") from error
    return pa, parquet


class _Group:
    """Rows that are not written yet, by column and flat.

    As the dictionaries and lists that they were, thousands of them would have Python's garbage
    collector at work all the time.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.characters = 0
        self._cells: dict[str, list[Any]] = {name: [] for name in _CELLS}
        self._items: dict[str, list[str]] = {name: [] for name in (*_LISTS, "role", "content")}
        self._ends = {name: [0] for name in (*_LISTS, "messages")}

    def add(self, row: Mapping[str, Any]) -> None:
        for name, cells in self._cells.items():
            cells.append(row[name])
        for name in _LISTS:
            self._items[name] += row[name]
            self._ends[name].append(len(self._items[name]))
        roles, contents = self._items["role"], self._items["content"]
        for message in row["messages"]:
            roles.append(message["role"])
            contents.append(message["content"])
            self.characters += len(message["content"])
        self._ends["messages"].append(len(roles))
        self.characters += len(row["meta"])
        self.rows += 1

    @property
    def is_full(self) -> bool:
        return self.rows == _GROUP_ROWS or self.characters > _GROUP_CHARACTERS

    def batch(self, pa: Any, schema: Any) -> Any:
        columns = {name: pa.array(self._cells[name], schema.field(name).type) for name in _CELLS}
        items = {name: pa.array(texts, pa.string()) for name, texts in self._items.items()}
        items["messages"] = pa.StructArray.from_arrays(
            [items.pop("role"), items.pop("content")], ["role", "content"]
        )
        for name, ends in self._ends.items():
            columns[name] = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), items[name])
        return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def _schema(pa: Any) -> Any:
    text = pa.string()
    return pa.schema(
        {
            "id": text,
            "video": text,
            "clip_id": text,
            "task": text,
            "messages": pa.list_(pa.struct({"role": text, "content": text})),
            "kinds": pa.list_(text),
            "flags": pa.list_(text),
            "ground": pa.float64(),
            "model": text,
            "simulated": pa.bool_(),
            "meta": text,
        }
    )


class _ParquetSink:
    def __init__(self, file: BinaryIO) -> None:
        self.rows = 0
        self._pa, parquet = _import()
        self._schema = _schema(self._pa)
        self._group = _Group()
        self._writer = parquet.ParquetWriter(
            file, self._schema, compression="zstd", use_dictionary=_REPEATING
        )

    def add(self, row: Mapping[str, Any]) -> None:
        self._group.add(row)
        self.rows += 1
        if self._group.is_full:
            self._write()

    def _write(self) -> None:
        if self._group.rows:
            batch = self._group.batch(self._pa, self._schema)
            self._writer.write_batch(batch, row_group_size=_GROUP_ROWS)
            self._group = _Group()

    def end(self) -> None:
        self._write()
        self._writer.close()

    def abandon(self) -> None:
        # Or its finaliser would write an end to a file that is closed by then.
        self._writer.is_open = False


@contextmanager
def _parquet(file: BinaryIO) -> Iterator[_ParquetSink]:
    sink = _ParquetSink(file)
    try:
        yield sink
        sink.end()
    finally:
        sink.abandon()


@contextmanager
def open_parquet(target: Output) -> Iterator[Sequence[RowWriter]]:
    """A Parquet file a side."""
    _import()
    with ExitStack() as stack:
        yield [
            stack.enter_context(_parquet(stack.enter_context(replacing_file(path))))
            for path in target.files
        ]


class _Dataset:
    """The files of one side of a data set, one after another."""

    def __init__(self, directory: Path, side: str, stack: ExitStack) -> None:
        self.rows = 0
        self.paths: list[Path] = []
        self._directory, self._side, self._stack = directory, side, stack
        self._begin()  # a side without records is there all the same

    def _begin(self) -> None:
        self._stack.close()
        path = self._directory / f"{self._side}-{len(self.paths):05}"
        self._file = self._stack.enter_context(path.open("xb"))
        self._sink = self._stack.enter_context(_parquet(self._file))
        self.paths.append(path)

    def add(self, row: Mapping[str, Any]) -> None:
        if self._file.tell() > _FILE_BYTES:
            self._begin()
        self._sink.add(row)
        self.rows += 1


@contextmanager
def _dataset(directory: Path, side: str) -> Iterator[_Dataset]:
    with ExitStack() as stack:
        dataset = _Dataset(directory, side, stack)
        yield dataset
    for path in dataset.paths:
        path.rename(path.with_name(f"{path.name}-of-{len(dataset.paths):05}.parquet"))


@contextmanager
def open_dataset(target: Output) -> Iterator[Sequence[RowWriter]]:
    """A directory as `datasets.load_dataset` and the viewer of the hub take it."""
    _import()
    with replacing_directory(target.output) as directory, ExitStack() as stack:
        data = directory / "data"
        data.mkdir()
        yield [stack.enter_context(_dataset(data, side)) for side in target.sides]
