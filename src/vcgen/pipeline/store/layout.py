"""How a run directory is laid out: its files, whose each is, and what does not belong there."""

import re
from pathlib import Path

from vcgen.errors import UsageError

MANIFEST, RECORDS, REJECTS, CALLS = "run.json", "records.jsonl", "rejects.jsonl", "calls.jsonl"
LOCK = ".lock"


def require_fresh(path: Path) -> None:
    """Raises UsageError unless a run would start from nothing at `path`."""
    if strangers := _strangers(path):
        raise UsageError(f"{path} is not empty: it holds {strangers[0]}; choose another directory")


def require_ours(path: Path) -> None:
    """Raises UsageError unless a run may be made or continued at `path`."""
    if (strangers := _strangers(path)) and not (path / MANIFEST).exists():
        raise UsageError(f"{path} is no run directory and not empty: it holds {strangers[0]}")
    lines = [found for name in (RECORDS, REJECTS, CALLS) for found in parts(path, name)]
    for written in (path / LOCK, *lines, *map(bad, lines)):
        if written.is_symlink():
            raise UsageError(
                f"{written} is a symbolic link, and a run writes to no file elsewhere: put the "
                "file itself there, or choose another directory"
            )


def _strangers(path: Path) -> list[str]:
    ours = {LOCK, f".{MANIFEST}.new"}  # what a run killed at its start leaves
    try:
        return sorted(entry.name for entry in path.iterdir() if entry.name not in ours)
    except FileNotFoundError:
        return []
    except NotADirectoryError as error:
        raise UsageError(f"{path} is a file or below one; the output is a directory") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot use it: {error.strerror}") from error


def own_files(path: Path) -> list[Path]:
    """The files of a run directory, and those that were set aside there."""
    lines = [found for name in (RECORDS, REJECTS, CALLS) for found in parts(path, name)]
    return [path / MANIFEST, path / LOCK, *lines, *map(bad, lines)]


def part(path: Path, name: str, worker: int) -> Path:
    """The file of that name which a worker writes, the first one being 1."""
    return path / (name if worker == 1 else name.replace(".", f"-{worker}."))


def bad(path: Path) -> Path:
    """Where the damaged lines of a file are moved."""
    return path.with_name(f"{path.name}.bad")


def parts(path: Path, name: str) -> list[Path]:
    """The files of that name that all workers of a directory have left, in their order."""
    form = re.compile(re.escape(name).replace(r"\.", r"(?:-([2-9]|[1-9]\d+))?\."))
    entries = path.glob(f"{Path(name).stem}*")
    found = [matched for entry in entries if (matched := form.fullmatch(entry.name))]
    return [path / matched[0] for matched in sorted(found, key=lambda part: int(part[1] or 1))]
