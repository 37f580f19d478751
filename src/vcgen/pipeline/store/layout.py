"""The layout of a run directory: file names, one file a worker, and files that do not belong."""

import re
from pathlib import Path

from vcgen.errors import UsageError

MANIFEST, RECORDS, REJECTS, CALLS = "run.json", "records.jsonl", "rejects.jsonl", "calls.jsonl"
RETRIED, RETRIED_CALLS = "retried.jsonl", "retried-calls.jsonl"  # moved aside by `vcgen retry`
LOCK = ".lock"


def require_fresh(path: Path) -> None:
    """Raise UsageError unless `path` is empty or missing."""
    if strangers := _strangers(path):
        raise UsageError(f"{path} is not empty: it holds {strangers[0]}; choose another directory")


def require_ours(path: Path) -> None:
    """Raise UsageError unless a run may begin or continue at `path`."""
    if (strangers := _strangers(path)) and not (path / MANIFEST).exists():
        raise UsageError(f"{path} is not a run directory and not empty: it holds {strangers[0]}")
    for written in own_files(path)[1:]:  # the manifest is replaced, not written
        if written.is_symlink():
            raise UsageError(
                f"{written} is a symbolic link, and a run writes to no file elsewhere: put the "
                "file itself there, or choose another directory"
            )
        if written.exists() and not written.is_file():
            raise UsageError(
                f"{written} is not a regular file: move it away, or choose another directory"
            )


def _strangers(path: Path) -> list[str]:
    ours = {LOCK, f".{MANIFEST}.new"}  # left by a run killed at its start
    try:
        return sorted(entry.name for entry in path.iterdir() if entry.name not in ours)
    except FileNotFoundError:
        return []
    except NotADirectoryError as error:
        raise UsageError(f"{path} is a file or below one; the output is a directory") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot use it: {error.strerror}") from error


def own_files(path: Path) -> list[Path]:
    """List the files of a run directory, those of damaged lines included."""
    lines = [file for _, file in all_parts(path)]
    aside = (path / RETRIED, path / RETRIED_CALLS)
    return [path / MANIFEST, path / LOCK, *lines, *map(bad, lines), *aside]


def all_parts(path: Path) -> list[tuple[str, Path]]:
    """List the files of records, rejects and calls, each with the name it is a part of."""
    return [(name, file) for name in (RECORDS, REJECTS, CALLS) for file in parts(path, name)]


def has_outcomes(path: Path) -> bool:
    """Whether a run directory holds a record or a reject."""
    files = [*parts(path, RECORDS), *parts(path, REJECTS)]
    return any(file.stat().st_size for file in files)


def part(path: Path, name: str, worker: int) -> Path:
    """Return the file that a worker writes; the first worker is 1."""
    return path / (name if worker == 1 else name.replace(".", f"-{worker}."))


def bad(path: Path) -> Path:
    """Return the file that takes the damaged lines of a file."""
    return path.with_name(f"{path.name}.bad")


def parts(path: Path, name: str) -> list[Path]:
    """List the files of a name that all workers have left, in their order."""
    form = re.compile(re.escape(name).replace(r"\.", r"(?:-([2-9]|[1-9]\d+))?\."))
    entries = path.glob(f"{Path(name).stem}*")
    matches = [match for entry in entries if (match := form.fullmatch(entry.name))]
    return [path / match[0] for match in sorted(matches, key=lambda match: int(match[1] or 1))]
