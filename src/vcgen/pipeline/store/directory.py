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

Each process looks at its paths with each `sync` (see `watch`): a directory that was moved or
deleted fails the run. Names are looked up in the open directory, so `run.json` is written where the
directory is, not to what has taken its path.
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
from vcgen.errors import StoreError, UsageError, VcgenError
from vcgen.pipeline.store import atomic_files, layout
from vcgen.pipeline.store.compact import CompactMap, CompactSet
from vcgen.pipeline.store.layout import CALLS, LOCK, MANIFEST, RECORDS, REJECTS
from vcgen.pipeline.store.lines import decode_line, encode_line
from vcgen.pipeline.store.manifest import Manifest
from vcgen.pipeline.store.totals import totals_of
from vcgen.pipeline.store.watch import PathWatch


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
        self._directory = -1
        self._place = path.absolute()  # the process may change its working directory
        self._watch = PathWatch()
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
            run._open_directory()
            run.lock_descriptor = atomic_files.open_private(path / LOCK, os.O_RDWR | os.O_CREAT)
            atomic_files.lock(run.lock_descriptor)
        except OSError as error:
            run.close()
            if error.errno == EBUSY:
                raise UsageError(f"{path}: another process is writing this run") from error
            raise UsageError(f"{path}: cannot write there: {error.strerror}") from error
        run._watch.add(run._place / LOCK, run.lock_descriptor)
        try:
            run._settle_manifest(manifest)
            run._repair()
            run._open_files()
        except OSError as error:
            run.close()
            raise StoreError(f"{error.filename or path}: {error.strerror}") from error
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
            run._open_directory()
            for name, file in layout.all_parts(path):
                run._index(name, file)
            run._open_files()
        except OSError as error:
            run.close()
            raise StoreError(f"{error.filename or path}: {error.strerror}") from error
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
        """Count the outcomes at the path, after a worker or some files are missing.

        Raise StoreError if the disk refuses.
        """
        if self.lock_descriptor < 0:  # the other files are not a worker's
            return
        self.records, self.rejects = 0, Counter()
        if self._watch.missing() == self._place:  # and what is there is not ours to repair
            return
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
            offset = offsets.get(key)
            row = None if offset is None else decode_line(self._read_line(path, offset))
            if row is not None and row["id"] == key:
                return row
        return None

    def _read_line(self, path: Path, offset: int) -> bytes:
        try:
            descriptor = atomic_files.open_regular(path.name, os.O_RDONLY, self._directory)
            with os.fdopen(descriptor, "rb") as file:
                file.seek(offset)
                return file.readline()
        except OSError as error:
            raise StoreError(f"{path}: cannot read: {error.strerror}") from error

    def sync(self) -> None:
        """Return when all that was appended is on the disk. May run in a thread.

        Raise StoreError if the disk failed or a path was missing twice, now or before; lines
        appended since the last sync that returned may be lost.
        """
        if self._failure:
            raise StoreError(self._failure)
        self._fail_if(self._watch.look())
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

    def settle(self) -> None:
        """Do as `sync` at the end of a run; count what is at the path if lines have gone.

        Raise StoreError as `sync` does, and if a path is missing.
        """
        try:
            self.sync()
            self._require_in_place()
        except StoreError:
            if self.is_displaced:
                with suppress(VcgenError):  # files may still go; the first error counts
                    self.recount()
            raise

    def _require_in_place(self) -> None:
        self._watch.look()
        self._fail_if(self._watch.look())

    @property
    def is_displaced(self) -> bool:
        """Whether the directory or a file of this process is not whole at its path."""
        return (self._watch.missing() or self._watch.cut_short()) is not None

    def _fail_if(self, missing: Path | None) -> None:
        cut = self._watch.cut_short()
        if (missing := missing or cut) is None:
            return
        shown = self.path if missing == self._place else self.path / missing.name
        is_gone = self._watch.is_deleted(missing)
        happened = "cut short" if cut else "deleted or replaced" if is_gone else "moved"
        if missing.name == LOCK:
            then = "the same command continues"
        elif happened != "moved":
            then = "its lines are lost, and the same command makes their samples again"
        elif missing == self._place:
            then = "move it back or give its present path (-o), and the same command continues"
        else:
            then = "move it back, and the same command continues"
        self._failure = f"{shown} was {happened} while the run wrote to it: {then}"
        raise StoreError(self._failure)

    def close(self) -> None:
        """Close the files and unlock the directory, unless a worker still holds it."""
        while self._files:
            os.close(self._files.popitem()[1])
        self._watch = PathWatch()
        for descriptor in (self._directory, self.lock_descriptor):
            if descriptor >= 0:
                os.close(descriptor)
        self._directory = self.lock_descriptor = -1

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
        self._watch.expect(layout.part(self._place, name, self._worker), len(line))

    def finish(self) -> None:
        """Write the totals into the manifest; a run that added nothing leaves it unchanged.

        Raise StoreError if the disk refuses, or the directory is not at its path.
        """
        before, manifest = self._manifest.counts, self._manifest
        if (before.get("records"), before.get("rejects")) != (self.records, self.rejects):
            manifest = replace(manifest, counts=totals_of(self._place).to_json())
        self._require_in_place()  # after the totals were read there
        if manifest is not self._manifest:
            self._write_manifest(manifest)

    def _settle_manifest(self, manifest: Manifest) -> None:
        if not (self.path / MANIFEST).exists():
            self._write_manifest(manifest)
            return
        self._manifest = Manifest.read(self.path)
        if not self._manifest.changes(manifest) or layout.has_outcomes(self.path):
            self._continue(manifest)
        else:  # what was wrong may be corrected
            self._write_manifest(manifest)

    def _continue(self, manifest: Manifest) -> None:
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
            with atomic_files.replacing_in(self._directory, MANIFEST) as file:
                file.write(manifest.encode())
        except OSError as error:
            raise StoreError(f"{self.path / MANIFEST}: cannot write: {error.strerror}") from error

    def _open_directory(self) -> None:
        self._directory = atomic_files.open_directory(self.path)
        self._watch.add(self._place, self._directory)

    def _open_files(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        for name in (RECORDS, REJECTS, CALLS):
            file = layout.part(self._place, name, self._worker)
            self._files[name] = atomic_files.open_private(file, flags)
            self._watch.add(file, self._files[name])
            self._watch.expect(file, os.fstat(self._files[name]).st_size)
        atomic_files.sync_path(self.path)  # the file names

    def _repair(self) -> None:
        for name, path in layout.all_parts(self._place):
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
        atomic_files.sync_path(self._place)
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
