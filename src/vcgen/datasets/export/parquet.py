"""Write records as Parquet, and as a data set of the Hugging Face hub.

The only module that imports pyarrow. Rows are written in groups, so memory does not grow with their
number.
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
# Values of the other columns hardly ever repeat.
_REPEATING = ["task", "model", "kinds.list.element", "flags.list.element"]


def _import() -> tuple[Any, Any]:
    try:
        # An extra.
        import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise UsageError("Parquet needs the package pyarrow: pip install 'vcgen[hf]'") from error
    return pa, parquet


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


class _ParquetWriter:
    def __init__(self, file: BinaryIO) -> None:
        self.rows = 0
        self._pa, parquet = _import()
        self._schema = _schema(self._pa)
        self._group: list[Mapping[str, Any]] = []
        self._characters = 0
        self._writer = parquet.ParquetWriter(
            file, self._schema, compression="zstd", use_dictionary=_REPEATING
        )

    def add(self, row: Mapping[str, Any]) -> None:
        self._group.append(row)
        self._characters += len(row["meta"])
        self._characters += sum(len(message["content"]) for message in row["messages"])
        self.rows += 1
        if len(self._group) == _GROUP_ROWS or self._characters > _GROUP_CHARACTERS:
            self._write()

    def _write(self) -> None:
        if self._group:
            batch = self._pa.RecordBatch.from_pylist(self._group, schema=self._schema)
            self._writer.write_batch(batch, row_group_size=_GROUP_ROWS)
            self._group, self._characters = [], 0

    def end(self) -> None:
        self._write()
        self._writer.close()

    def abandon(self) -> None:
        # Its finaliser would write a footer to a file that is closed by then.
        self._writer.is_open = False


@contextmanager
def _parquet(file: BinaryIO) -> Iterator[_ParquetWriter]:
    writer = _ParquetWriter(file)
    try:
        yield writer
        writer.end()
    finally:
        writer.abandon()


@contextmanager
def open_parquet(files: Output) -> Iterator[Sequence[RowWriter]]:
    """Open a Parquet file a side."""
    _import()
    with ExitStack() as stack:
        yield [
            stack.enter_context(_parquet(stack.enter_context(replacing_file(path))))
            for path in files.files
        ]


class _Dataset:
    """Writes the files of one side of a data set, one after another."""

    def __init__(self, directory: Path, side: str, stack: ExitStack) -> None:
        self.rows = 0
        self.paths: list[Path] = []
        self._directory, self._side, self._stack = directory, side, stack
        self._begin()  # also for a side without records

    def _begin(self) -> None:
        self._stack.close()
        path = self._directory / f"{self._side}-{len(self.paths):05}"
        self._file = self._stack.enter_context(path.open("xb"))
        self._parquet = self._stack.enter_context(_parquet(self._file))
        self.paths.append(path)

    def add(self, row: Mapping[str, Any]) -> None:
        if self._file.tell() > _FILE_BYTES:
            self._begin()
        self._parquet.add(row)
        self.rows += 1


@contextmanager
def _dataset(directory: Path, side: str) -> Iterator[_Dataset]:
    with ExitStack() as stack:
        dataset = _Dataset(directory, side, stack)
        yield dataset
    for path in dataset.paths:
        path.rename(path.with_name(f"{path.name}-of-{len(dataset.paths):05}.parquet"))


@contextmanager
def open_dataset(files: Output) -> Iterator[Sequence[RowWriter]]:
    """Open a directory for `datasets.load_dataset` and the viewer of the hub."""
    _import()
    with replacing_directory(files.output) as directory, ExitStack() as stack:
        data = directory / "data"
        data.mkdir()
        yield [stack.enter_context(_dataset(data, side)) for side in files.sides]
