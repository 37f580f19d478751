"""The run directory on disk: append-only, locked, repaired on opening.

    run.json        what the run is: recipe, model, template hashes, versions; replaced atomically
    records.jsonl   one accepted record a line
    rejects.jsonl   one reject a line
    calls.jsonl     answers of intermediate steps, so that a crash pays for none twice

Where several processes do a run, the second writes `records-2.jsonl` and so on, the first the plain
names. Whoever reads, reads all of them, the plain ones first and then by number, so that any number
of processes can continue what any other number began.

One `write` a line on an O_APPEND descriptor, so a killed process leaves whole lines; `sync` makes
them survive a power cut. When the directory is opened, a torn last line is cut off, damaged lines
are moved to `<file>.bad`, and what is then there is put on the disk. One process at a time opens a
directory, and then lets its workers join: they neither lock nor repair. All files are for their
owner alone, and none is written through a symbolic link.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, cast

import orjson

from vcgen._version import __version__
from vcgen.data.records import Outcome, Record, Reject
from vcgen.errors import StoreError, UsageError
from vcgen.pipeline.store.atomic_files import (
    PRIVATE,
    make_directory,
    open_private,
    replacing,
    scan_lines,
    sync_path,
    truncate_at,
)
from vcgen.pipeline.store.compact import CompactMap, CompactSet
from vcgen.pipeline.store.layout import (
    CALLS,
    LOCK,
    MANIFEST,
    RECORDS,
    REJECTS,
    bad,
    part,
    parts,
    require_ours,
)
from vcgen.pipeline.store.lines import decode_line, encode_line
from vcgen.pipeline.store.totals import sum_up

_LAYOUT = 1
_MOST_CHANGES = 8  # are told of


class RunDirectory:
    """A run directory open for writing, by one process at a time and its workers.

    Attributes:
        path: the directory.
        damaged: lines that were moved aside on opening, by file name.
        records, rejects: outcomes in the directory; rejects by reason.
    """

    def __init__(self, path: Path, worker: int = 1) -> None:
        self.path = path
        self._worker = worker
        self.damaged: dict[str, int] = {}
        self.records = 0
        self.rejects: Counter[str] = Counter()
        from filelock import FileLock  # noqa: PLC0415 - 6 ms that importing vcgen need not take

        self._lock = FileLock(path / LOCK, mode=PRIVATE, thread_local=False)
        self._files: dict[str, int] = {}
        self._done = CompactSet()
        self._calls: dict[Path, CompactMap] = {}  # where in the file the lines begin
        self._dirty = False
        self._failure = ""  # of the disk, after which nothing it holds back can be trusted
        self._manifest: dict[str, Any] = {}

    @classmethod
    def open(cls, path: Path, manifest: Mapping[str, Any]) -> Self:
        """Create a run directory, or continue one.

        Raises:
            UsageError: the directory belongs to another run, is being written by another process,
                or is no run directory and not empty.
            StoreError: the disk refuses.
        """
        from filelock import Timeout  # noqa: PLC0415 - as in __init__

        require_ours(path)
        run = cls(path)
        try:
            make_directory(path)
            run._lock.acquire(blocking=False)
        except Timeout as error:
            raise UsageError(f"{path}: another process is writing this run") from error
        except OSError as error:
            raise UsageError(f"{path}: cannot write there: {error.strerror}") from error
        try:
            run._settle_manifest(manifest)
            run._repair()
            run._open_files()
        except OSError as error:
            run.close()
            raise StoreError(f"{path}: {error.strerror}") from error
        except BaseException:
            run.close()
            raise
        return run

    @classmethod
    def join(cls, path: Path, worker: int) -> Self:
        """The directory that the process which started this worker holds open.

        Raises:
            StoreError: the disk refuses.
        """
        run = cls(path, worker)
        try:
            for name in (RECORDS, REJECTS, CALLS):
                for file in parts(path, name):
                    run._index(name, file)
            run._open_files()
        except OSError as error:
            run.close()
            raise StoreError(f"{path}: {error.strerror}") from error
        return run

    def copy_lock(self) -> int:
        """A descriptor: whoever inherits it holds the directory as well, until it is closed."""
        # A copy, because filelock closes its own in every process that is forked.
        return os.dup(cast("int", self._lock._context.lock_file_fd))  # noqa: SLF001 - no other way

    def is_done(self, sample: str) -> bool:
        """Whether an earlier process left the record or reject of a sample, or a row's reject."""
        return sample in self._done

    def is_made_from(self, sample: str, evidence: str) -> bool:
        """Whether that was from evidence of this hash, or may have been: older ones do not say."""
        return _from(sample, evidence) in self._done or _from(sample, "") in self._done

    def has_id(self, place: str) -> bool:
        """Whether an earlier process rejected another row under this place."""
        return _standing(place) in self._done

    def add(self, outcome: Outcome) -> None:
        """Append an outcome."""
        if isinstance(outcome, Record):
            self._append(RECORDS, encode_line(outcome))
            self.records += 1
        else:
            self._append(REJECTS, encode_line(outcome))
            self.rejects[outcome.reason.value] += 1

    def count(self, records: int, rejects: Mapping[str, int]) -> None:
        """Take note of outcomes that a worker added."""
        self.records += records
        self.rejects.update(rejects)

    def recount(self) -> None:
        """Read again what there is, after a worker died without saying all that it added.

        Raises:
            StoreError: the disk refuses.
        """
        self.records, self.rejects = 0, Counter()
        try:
            self._repair()
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from error

    def keep_call(self, row: Mapping[str, Any]) -> None:
        """Append the answer of a step that other steps build on."""
        self._append(CALLS, encode_line(row))

    @property
    def has_calls(self) -> bool:
        """Whether an earlier process left answers of steps."""
        return bool(self._calls)

    def find_call(self, key: str) -> Mapping[str, Any] | None:
        """A step's answer kept by an earlier process, None if there is none."""
        for path, offsets in self._calls.items():
            if (offset := offsets.get(key)) is not None:
                with path.open("rb") as file:
                    file.seek(offset)
                    row = decode_line(file.readline())
                if row["id"] == key:
                    return row
        return None

    def sync(self) -> None:
        """Return when all that was appended is on the disk. May run in a thread.

        Raises:
            StoreError: the disk failed, now or before; what was appended since the last sync that
                returned may be lost.
        """
        if self._failure:
            raise StoreError(self._failure)
        if not self._dirty:
            return
        self._dirty = False
        for name, file in self._files.items():
            try:
                os.fsync(file)
            except OSError as error:
                # A second try would succeed: the kernel tells of a loss once and then forgets it.
                path = part(self.path, name, self._worker)
                self._failure = f"{path}: not on the disk: {error.strerror}"
                raise StoreError(self._failure) from error

    def close(self) -> None:
        """Close the files and let the directory go."""
        while self._files:
            os.close(self._files.popitem()[1])
        self._lock.release()

    def _append(self, name: str, line: bytes) -> None:
        self._dirty = True
        file, left = self._files[name], memoryview(line)
        try:
            while left:
                left = left[os.write(file, left) :]
        except OSError as error:
            # Without the torn half, lines of replies that are still to come stay whole. Where it
            # cannot be cut off, a whole line after it is found again by `salvage`.
            with suppress(OSError):
                os.ftruncate(file, os.fstat(file).st_size - (len(line) - len(left)))
            path = part(self.path, name, self._worker)
            raise StoreError(f"{path}: cannot write: {error.strerror}") from error

    def finish(self) -> None:
        """Put the sums into the manifest; a run that added nothing leaves it as it was."""
        before = self._manifest.get("counts", {})
        if (before.get("records"), before.get("rejects")) != (self.records, self.rejects):
            counts = sum_up(_rows(self.path, RECORDS), _rows(self.path, REJECTS))
            self._write_manifest({**self._manifest, "counts": counts})

    def _settle_manifest(self, manifest: Mapping[str, Any]) -> None:
        if not (self.path / MANIFEST).exists():
            self._write_manifest(manifest)
            return
        self._manifest = read_manifest(self.path)
        now = orjson.loads(orjson.dumps(manifest["run"]))
        if changed := _changes(self._manifest["run"], now):
            if (untold := len(changed) - _MOST_CHANGES) > 0:
                changed[_MOST_CHANGES:] = [f"and {untold} more"]
            raise UsageError(
                f"{self.path} holds another run ({'; '.join(changed)}); choose another directory"
            )
        # All that a run has gone by; unknown where an older version began it.
        known = self._manifest.get("limits")
        if known and (more := [each for each in manifest["limits"] if each not in known]):
            self._write_manifest({**self._manifest, "limits": [*known, *more]})

    def _write_manifest(self, manifest: Mapping[str, Any]) -> None:
        self._manifest = dict(manifest)
        content = orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        try:
            with replacing(self.path / MANIFEST) as file:
                file.write(content)
        except OSError as error:
            raise StoreError(f"{self.path / MANIFEST}: cannot write: {error.strerror}") from error

    def _open_files(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        for name in (RECORDS, REJECTS, CALLS):
            self._files[name] = open_private(part(self.path, name, self._worker), flags)
        sync_path(self.path)  # a line is no safer than its file's name

    def _repair(self) -> None:
        for name in (RECORDS, REJECTS, CALLS):
            for path in parts(self.path, name):
                end, damaged = self._index(name, path)
                if damaged:
                    self._set_aside(path, damaged)
                else:
                    truncate_at(path, end)
                sync_path(path)  # a process that was killed may not have come to it

    def _index(self, name: str, path: Path) -> tuple[int, list[bytes]]:
        """Take in a file; returns how long it is without damage, and its damaged lines."""
        end, damaged = 0, []
        for whole, rest in scan_lines(path):
            if rest is not None:
                damaged.append(rest)
            for found, line in whole:
                if name == CALLS:
                    self._calls.setdefault(path, CompactMap("Q")).add(found, end)
                else:
                    self._count_line(name, found, line)
                end += len(line) + 1
        return end, damaged

    def _count_line(self, name: str, found: str, line: bytes) -> None:
        if name == RECORDS:
            self._done.add(found)
            self._done.add(_from(found, _evidence(line)))
            self.records += 1
            return
        reject = decode_line(line)
        self.rejects[reject["reason"]] += 1
        meta = reject.get("meta", {})
        if "row" in meta:
            self._done.add(meta["row"])
            self._done.add(_standing(found))
        else:  # of a sample, or of a row by a version that knew rows by their places
            self._done.add(found)
            self._done.add(_from(found, meta.get("evidence", "")))

    def _set_aside(self, path: Path, damaged: list[bytes]) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        with os.fdopen(open_private(bad(path), flags), "ab") as aside:
            aside.writelines(line + b"\n" for line in damaged)
            aside.flush()
            os.fsync(aside.fileno())
        sync_path(self.path)
        self.damaged[path.name] = len(damaged)
        with replacing(path) as file:
            file.writelines(line + b"\n" for whole, _ in scan_lines(path) for _, line in whole)


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a run directory.

    Raises:
        UsageError: it is none, or of a layout this version does not know.
    """
    try:
        manifest: dict[str, Any] = orjson.loads((path / MANIFEST).read_bytes())
        layout, _ = manifest["layout"], manifest["run"].keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is no run directory: it has no readable {MANIFEST}") from error
    if layout != _LAYOUT:
        raise UsageError(
            f"{path / MANIFEST}: layout {layout}, written by vcgen {manifest.get('vcgen')}, is not "
            f"known to this version, {__version__}; continue it with that one"
        )
    return manifest


def read_records(path: Path, damaged: Counter[str] | None = None) -> Iterator[Record]:
    """The records of a run directory, one at a time.

    Damaged lines are passed over, and counted in `damaged` by the name of their file.
    """
    return map(Record.from_json, _rows(path, RECORDS, damaged))


def read_rejects(path: Path) -> Iterator[Reject]:
    """The rejects of a run directory, one at a time; damaged lines are passed over."""
    return map(Reject.from_json, _rows(path, REJECTS))


def _changes(before: Mapping[str, Any], now: Mapping[str, Any], at: str = "") -> list[str]:
    changes: list[str] = []
    for key in before.keys() | now.keys():
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict | None) and isinstance(new, dict | None):
            # Of what is not there at all, no part is.
            changes.extend(_changes(old or {}, new or {}, f"{at}{key}."))
        elif old != new:
            changes.append(f"{at}{key} was {_told(old)}, is {_told(new)}")
    return sorted(changes)


def _told(value: Any) -> Any:
    return "not given" if value is None else value


def _evidence(line: bytes) -> str:
    """The hash of a record's evidence, empty in records of older versions."""
    # As it is, this cannot stand in a text: a quote there has a backslash before it.
    _, mark, rest = line.rpartition(b'"evidence":"')
    return rest[: rest.find(b'"')].decode() if mark else ""


# No id of a sample or a row begins with white space.
def _from(sample: str, evidence: str) -> str:
    return f"\n{evidence}/{sample}"


def _standing(place: str) -> str:
    return f"\t{place}"


def _rows(path: Path, name: str, damaged: Counter[str] | None = None) -> Iterator[dict[str, Any]]:
    for file in parts(path, name):
        for whole, rest in scan_lines(file):
            if rest is not None and damaged is not None:
                damaged[file.name] += 1
            for _, line in whole:
                yield decode_line(line)
