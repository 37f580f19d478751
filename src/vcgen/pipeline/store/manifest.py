"""The manifest of a run directory, `run.json`: the identity of the run, and its totals.

The part that identifies a run (model, tasks, recipe, templates, judge) must be the same for a
directory to be continued. The rest is for people and for the report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

from vcgen._version import __version__
from vcgen.errors import UsageError
from vcgen.pipeline.store.atomic_files import read_bytes
from vcgen.pipeline.store.layout import MANIFEST
from vcgen.tasks.recipe import with_current_names

LAYOUT = 1
_MOST_CHANGES = 8  # in one message
_IDENTITY = ("model", "tasks", "recipe", "templates", "judge", "body")


@dataclass(frozen=True, slots=True)
class GivenRates:
    """Requests and tokens a minute that a run was given; None where no limit was given."""

    rpm: int | None = None
    tpm: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The content of `run.json`.

    Attributes:
        limits: one entry for each different limits the run was begun or continued with; empty if
            unknown.
        recipe: its fields by their present names, but for the tasks.
        body: fields that the caller adds to requests.
        other: further parts of the run's identity, written by a later version.
        counts: totals of the records and rejects, empty until a run has ended.
    """

    vcgen: str = __version__  # version that began the run
    started: str = ""  # ISO 8601 time
    recipe_hash: str = ""  # identifies the recipe in the records' metadata
    simulated: bool = False  # whether the model was the simulator
    limits: tuple[GivenRates, ...] = ()
    model: str = ""  # as the caller named it
    tasks: tuple[str, ...] = ()  # names, in their order
    recipe: Mapping[str, Any] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)  # content hashes by template name
    judge: str | None = None  # model of the judge, None without one
    body: Mapping[str, Any] = field(default_factory=dict)
    other: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, run: Path) -> Self:
        """Read the manifest of a run directory.

        Raise UsageError if `run` has no readable manifest, or one of an unknown layout.
        """
        path = run / MANIFEST
        try:
            content = orjson.loads(read_bytes(path))
            layout, _ = content["layout"], content["run"].keys()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"{run} is not a run directory: it has no readable {MANIFEST}"
            ) from error
        if layout != LAYOUT:
            raise UsageError(
                f"{path}: layout {layout}, written by vcgen {content.get('vcgen')}, is not known "
                f"to this version, {__version__}; continue it with that one"
            )
        return cls.from_json(content)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Build a manifest from parsed JSON of this or an earlier version.

        Parts that are missing or of the wrong type take their defaults.
        """
        run = _mapping(content.get("run"))
        judge = run.get("judge")
        return cls(
            vcgen=_text(content.get("vcgen")),
            started=_text(content.get("started")),
            recipe_hash=_text(content.get("recipe_hash")),
            simulated=content.get("simulated") is True,
            limits=tuple(map(_rates, _sequence(content.get("limits")))),
            model=_text(run.get("model")),
            tasks=tuple(map(str, _sequence(run.get("tasks")))),
            recipe=with_current_names(_mapping(run.get("recipe"))),
            templates={
                name: str(digest) for name, digest in _mapping(run.get("templates")).items()
            },
            judge=None if judge is None else str(judge),
            body=_mapping(run.get("body")),
            other={name: value for name, value in run.items() if name not in _IDENTITY},
            counts=_mapping(content.get("counts")),
        )

    def to_json(self) -> dict[str, Any]:
        """Build the JSON value, without the parts that are empty."""
        run = {
            "model": self.model,
            "tasks": list(self.tasks),
            "recipe": self.recipe,
            "templates": self.templates,
            "judge": self.judge,
            "body": self.body,
            **self.other,
        }
        content = {
            "vcgen": self.vcgen,
            "started": self.started,
            "recipe_hash": self.recipe_hash,
            "simulated": self.simulated,
            "limits": [asdict(rates) for rates in self.limits],
        }
        return {
            "layout": LAYOUT,
            **{name: value for name, value in content.items() if value not in ("", [])},
            "run": {name: value for name, value in run.items() if value not in (None, "", [], {})},
            **({"counts": self.counts} if self.counts else {}),
        }

    def encode(self) -> bytes:
        return orjson.dumps(self.to_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    def changes(self, now: "Manifest") -> list[str]:
        """List what another run would change, a few phrases; empty if it continues this one."""
        before, after = (orjson.loads(manifest.encode())["run"] for manifest in (self, now))
        changes = sorted(_changes(before, after))
        if (omitted := len(changes) - _MOST_CHANGES) > 0:
            changes[_MOST_CHANGES:] = [f"and {omitted} more"]
        return changes


def _changes(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    changes: list[str] = []
    for key in before.keys() | now.keys():
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict | None) and isinstance(new, dict | None):
            # A missing mapping has no nested changes of its own.
            changes.extend(_changes(old or {}, new or {}, f"{prefix}{key}."))
        elif old != new:
            changes.append(f"{prefix}{key} was {_shown(old)}, is {_shown(new)}")
    return changes


def _shown(value: Any) -> Any:
    return "not given" if value is None else value


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _rates(value: Any) -> GivenRates:
    given = _mapping(value)
    rpm, tpm = (
        rate if isinstance(rate := given.get(name), int) and rate > 0 else None
        for name in ("rpm", "tpm")
    )
    return GivenRates(rpm, tpm)
