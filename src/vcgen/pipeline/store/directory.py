"""The run directory on disk: append-only, locked, repaired on opening.

    run.json        the manifest: recipe, model, template hashes, versions; replaced atomically
    records.jsonl   one accepted record a line
    rejects.jsonl   one reject a line
    calls.jsonl     answers of intermediate steps, so that a crash pays for none twice

With several processes, the second one writes `records-2.jsonl` and so on, the first one the plain
names. Readers take all of them, the plain ones first and then by number, so that any number of
processes can continue a run that any other number began.

One `write` a line on an O_APPEND descriptor, so a killed process leaves whole lines; `sync` makes
them survive a power cut. Opening a directory cuts off a torn last line, moves damaged lines to
`<file>.bad`, and syncs the rest. One process at a time opens a directory, and then lets its workers
join: they neither lock nor repair. All files are for their owner alone, and none is written through
a symbolic link.

    a process      locks    repairs    holds the lock until
    opens          yes      yes        `close`, or its end
    joins          no       no         its end, by the inherited descriptor `lock_descriptor`
"""

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from errno import EBUSY
from pathlib import Path
from typing import Any, Self

from vcgen.data.records import Outcome, Record
from vcgen.errors import StoreError, UsageError
from vcgen.pipeline.store import atomic_files, layout
from vcgen.pipeline.store.compact import CompactMap, CompactSet
from vcgen.pipeline.store.layout import CALLS, LOCK, MANIFEST, RECORDS, REJECTS
from vcgen.pipeline.store.lines import decode_line, encode_line
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.totals import totals_of


class RunDirectory:
    """A run directory open for writing, by one process at a time and its workers.

    Attributes:
        path: the directory.
        damaged: lines that were moved aside on opening, by file name.
        records, rejects: outcomes in the directory; rejects by reason.
        lock_descriptor: a process that inherits it holds the directory too; -1 in a worker.
    """

    def __init__(self, path: Path, worker: int = 1) -> None:
        self.path = path
        self._worker = worker
        self.damaged: dict[str, int] = {}
        self.records = 0
        self.rejects: Counter[str] = Counter()
        self.lock_descriptor = -1
        self._files: dict[str, int] = {}
        self._done = CompactSet()
        self._calls: dict[Path, CompactMap] = {}  # offsets of lines by call
        self._dirty = False
        self._failure = ""  # of the disk; no later sync can be trusted
        self._manifest = Manifest()

    @classmethod
    def open(cls, path: Path, manifest: Manifest) -> Self:
        """Create a run directory, or continue one.

        Raises:
            UsageError: the directory belongs to another run, is being written by another process,
                or is not empty and not a run directory.
            StoreError: the disk refuses.
        """
        layout.require_ours(path)
        run = cls(path)
        try:
            atomic_files.make_directory(path)
            run.lock_descriptor = atomic_files.open_private(path / LOCK, os.O_RDWR | os.O_CREAT)
            atomic_files.lock(run.lock_descriptor)
        except OSError as error:
            run.close()
            if error.errno == EBUSY:
                raise UsageError(f"{path}: another process is writing this run") from error
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
        """Open the files of a worker, in a directory that its parent process holds open.

        Raise StoreError if the disk refuses.
        """
        run = cls(path, worker)
        try:
            for name in (RECORDS, REJECTS, CALLS):
                for file in layout.parts(path, name):
                    run._index(name, file)
            run._open_files()
        except OSError as error:
            run.close()
            raise StoreError(f"{path}: {error.strerror}") from error
        return run

    def is_done(self, sample: str) -> bool:
        """Whether an earlier process left the record or reject of a sample, or a row's reject."""
        return sample in self._done

    def is_made_from(self, sample: str, evidence: str) -> bool:
        """Whether its outcome came from evidence of this hash; older outcomes match any."""
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
        """Count outcomes that a worker added."""
        self.records += records
        self.rejects.update(rejects)

    def recount(self) -> None:
        """Count the outcomes on the disk, after a worker died and its last report is missing.

        Raise StoreError if the disk refuses.
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
        """Return a step's answer kept by an earlier process, or None."""
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

        Raise StoreError if the disk failed, now or before; lines appended since the last sync that
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
                # A second fsync would succeed: the kernel reports a loss only once.
                path = layout.part(self.path, name, self._worker)
                self._failure = f"{path}: not on the disk: {error.strerror}"
                raise StoreError(self._failure) from error

    def close(self) -> None:
        """Close the files and unlock the directory, unless a worker still holds it."""
        while self._files:
            os.close(self._files.popitem()[1])
        if self.lock_descriptor >= 0:
            os.close(self.lock_descriptor)
            self.lock_descriptor = -1

    def _append(self, name: str, line: bytes) -> None:
        self._dirty = True
        file, left = self._files[name], memoryview(line)
        try:
            while left:
                left = left[os.write(file, left) :]
        except OSError as error:
            # Cut off the torn half, so that later lines stay whole. Where that fails too,
            # `salvage` recovers them.
            with suppress(OSError):
                os.ftruncate(file, os.fstat(file).st_size - (len(line) - len(left)))
            path = layout.part(self.path, name, self._worker)
            raise StoreError(f"{path}: cannot write: {error.strerror}") from error

    def finish(self) -> None:
        """Write the totals into the manifest; a run that added nothing leaves it unchanged."""
        before = self._manifest.counts
        if (before.get("records"), before.get("rejects")) != (self.records, self.rejects):
            self._write_manifest(replace(self._manifest, counts=totals_of(self.path).to_json()))

    def _settle_manifest(self, manifest: Manifest) -> None:
        if not (self.path / MANIFEST).exists():
            self._write_manifest(manifest)
            return
        self._manifest = Manifest.read(self.path)
        if changed := self._manifest.changes(manifest):
            raise UsageError(
                f"{self.path} holds another run ({'; '.join(changed)}); choose another directory"
            )
        # Unknown where an older version began the run; then they stay unknown.
        before = self._manifest.limits
        if before and (more := tuple(rates for rates in manifest.limits if rates not in before)):
            self._write_manifest(replace(self._manifest, limits=before + more))

    def _write_manifest(self, manifest: Manifest) -> None:
        self._manifest = manifest
        try:
            with atomic_files.replacing(self.path / MANIFEST) as file:
                file.write(manifest.encode())
        except OSError as error:
            raise StoreError(f"{self.path / MANIFEST}: cannot write: {error.strerror}") from error

    def _open_files(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        for name in (RECORDS, REJECTS, CALLS):
            self._files[name] = atomic_files.open_private(
                layout.part(self.path, name, self._worker), flags
            )
        atomic_files.sync_path(self.path)  # the file names

    def _repair(self) -> None:
        for name in (RECORDS, REJECTS, CALLS):
            for path in layout.parts(self.path, name):
                end, damaged = self._index(name, path)
                if damaged:
                    self._quarantine(path, damaged)
                else:
                    atomic_files.truncate_at(path, end)
                atomic_files.sync_path(path)  # a killed process may not have

    def _index(self, name: str, path: Path) -> tuple[int, list[bytes]]:
        """Index a file; returns its length without damage, and its damaged lines."""
        end, damaged = 0, []
        for whole, rest in atomic_files.scan_lines(path):
            if rest is not None:
                damaged.append(rest)
            for line_id, line in whole:
                if name == CALLS:
                    self._calls.setdefault(path, CompactMap("Q")).add(line_id, end)
                else:
                    self._count_line(name, line_id, line)
                end += len(line) + 1
        return end, damaged

    def _count_line(self, name: str, line_id: str, line: bytes) -> None:
        if name == RECORDS:
            self._done.add(line_id)
            self._done.add(_from(line_id, _evidence(line)))
            self.records += 1
            return
        reject = decode_line(line)
        self.rejects[reject["reason"]] += 1
        meta = reject.get("meta", {})
        if "row" in meta:
            self._done.add(meta["row"])
            self._done.add(_standing(line_id))
        else:  # of a sample, or of a row from a version that identified rows by their places
            self._done.add(line_id)
            self._done.add(_from(line_id, meta.get("evidence", "")))

    def _quarantine(self, path: Path, damaged: list[bytes]) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        with os.fdopen(atomic_files.open_private(layout.bad(path), flags), "ab") as aside:
            aside.writelines(line + b"\n" for line in damaged)
            aside.flush()
            os.fsync(aside.fileno())
        atomic_files.sync_path(self.path)
        self.damaged[path.name] = len(damaged)
        with atomic_files.replacing(path) as file:
            file.writelines(
                line + b"\n" for whole, _ in atomic_files.scan_lines(path) for _, line in whole
            )


def _evidence(line: bytes) -> str:
    """Return the hash of a record's evidence, empty in records of older versions."""
    # No text contains this mark: quotes in texts are escaped.
    _, mark, rest = line.rpartition(b'"evidence":"')
    return rest[: rest.find(b'"')].decode() if mark else ""


# Keys of `_done` besides ids; ids never begin with white space.
def _from(sample: str, evidence: str) -> str:
    return f"\n{evidence}/{sample}"


def _standing(place: str) -> str:
    return f"\t{place}"
