"""A dataset card for the Hugging Face Hub: YAML for its search, and a page for people.

Pure: of the same survey, manifest and examples it is the same text. Whatever a record or a manifest
says stands in spans and blocks of code, so that no answer can make a link, an image or HTML of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vcgen.data.hashing import hash64
from vcgen.data.records import Record
from vcgen.datasets.card.again import again
from vcgen.datasets.card.header import header, require_license
from vcgen.datasets.card.markdown import prose
from vcgen.datasets.card.sections import (
    SIMULATED,
    composition,
    left_out,
    licence,
    limitations,
    opening,
    origin,
    quality,
    shown,
)
from vcgen.engine.config import is_simulated

__all__ = ["Examples", "require_license", "write_card"]

_SHOWN = 2


class Examples:
    """Two records to show: of two tasks where there are two, and always the same ones."""

    def __init__(self) -> None:
        self._by_task: dict[str, list[tuple[int, Record]]] = {}

    def add(self, record: Record) -> None:
        """Take in a record."""
        kept = self._by_task.setdefault(record.task, [])
        kept.append((hash64(record.id), record))
        kept.sort(key=lambda numbered: numbered[0])
        del kept[_SHOWN:]

    def chosen(self) -> list[Record]:
        """The first of each task, then the second ones."""
        tasks = [self._by_task[task] for task in sorted(self._by_task)]
        ranked = [kept[rank][1] for rank in range(_SHOWN) for kept in tasks if rank < len(kept)]
        return ranked[:_SHOWN]


def write_card(
    about: Mapping[str, Any],
    manifest: Mapping[str, Any],
    examples: Sequence[Record],
    *,
    name: str,
    license_name: str | None = None,
    files: Iterable[str] = (),
) -> str:
    """The text of a card.

    Args:
        about: a summary of `vcgen.survey`.
        manifest: of the run, as `run.json` has it.
        examples: records to show.
        name: of the data set, for people.
        license_name: an identifier of the hub's list, None to state none.
        files: paths of the Parquet files beside the card, from where it is.
    """
    run, version = manifest["run"], manifest["vcgen"]
    # A server that simulates may be asked for a model by any name, but gives its own.
    simulated = any(map(is_simulated, (run["model"], *about["models"])))
    title = f"{name} (simulated)" if simulated else name
    parts = [
        header(
            about,
            name=title,
            language=run["recipe"]["language"],
            license_name=license_name,
            is_simulated=simulated,
            files=files,
        ),
        f"# {prose(title)}",
        SIMULATED if simulated else "",
        opening(about, run, version, is_simulated=simulated),
        licence(license_name),
        composition(about),
        origin(about, manifest),
        left_out(about),
        quality(about),
        shown(examples),
        limitations(),
        again(run, version),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"
