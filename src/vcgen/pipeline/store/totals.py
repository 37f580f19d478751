"""Add up the outcomes of a run: counts, tokens and cost, for `run.json` and for statistics.

The usage of each call is in the metadata of one sample, so a directory's totals hold each call
once, whichever processes made it. Rows of older versions lack some of the metadata.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vcgen.engine.chat import Usage
from vcgen.pipeline.store.layout import RECORDS, REJECTS, RETRIED
from vcgen.pipeline.store.read import read_rows

_DIGITS = 9  # of dollars; summing in another order changes only later ones


@dataclass(frozen=True, slots=True)
class JudgeTotals:
    """Verdicts by name, and the cost of the judge's calls."""

    verdicts: Mapping[str, int]
    repairs: int
    usage: Usage
    cost: float | None


@dataclass(frozen=True, slots=True)
class RunTotals:
    """Totals of records and rejects."""

    records: int
    rejects: Mapping[str, int]  # by reason
    codes: Mapping[str, int]  # rejects by the checks they failed
    flags: Mapping[str, int]  # records by flag
    repairs: int
    usage: Usage
    cost: float | None  # in US dollars, None if the price of any call is unknown
    judge: JudgeTotals | None  # None if no call was the judge's

    @property
    def rejected(self) -> int:
        return sum(self.rejects.values())

    @property
    def samples(self) -> int:
        return self.records + self.rejected

    def to_json(self) -> dict[str, Any]:
        """Build the JSON value, without the judge's part if there is none."""
        row = asdict(self)
        for optional in ("judge", "codes"):
            if not row[optional]:
                del row[optional]
        return row


@dataclass(slots=True)
class _Spent:
    repairs: int = 0
    usage: Usage = Usage()
    cost: float | None = 0.0

    def add(self, meta: Mapping[str, Any]) -> None:
        if "usage" not in meta:
            return
        self.repairs += meta.get("repairs", 0)
        if meta["usage"] is not None:  # null where the endpoint did not state it
            self.usage += Usage(**meta["usage"])
        cost = meta.get("cost")
        self.cost = None if cost is None or self.cost is None else self.cost + cost

    @property
    def rounded_cost(self) -> float | None:
        return None if self.cost is None else round(self.cost, _DIGITS)


class TotalsCounter:
    """Counts outcomes, one at a time."""

    def __init__(self) -> None:
        self._records = 0
        self._reasons, self._codes = Counter[str](), Counter[str]()
        self._flags, self._verdicts = Counter[str](), Counter[str]()
        self._spent, self._judging = _Spent(), _Spent()

    def add_spent(self, meta: Mapping[str, Any]) -> None:
        """Count the calls of an outcome that was replaced."""
        self._spent.add(meta)
        if "judge" in meta:
            self._judging.add(meta["judge"])

    def add_record(self, meta: Mapping[str, Any], flags: Iterable[str]) -> None:
        """Count a record."""
        self._records += 1
        self._flags.update(flags)
        self._add(meta)

    def add_reject(self, meta: Mapping[str, Any], reason: str, codes: Iterable[str]) -> None:
        """Count a reject."""
        self._reasons[reason] += 1
        self._codes.update(codes)
        self._add(meta)

    def _add(self, meta: Mapping[str, Any]) -> None:
        self.add_spent(meta)
        if "judge" in meta:
            self._verdicts.update(verdict["verdict"] for verdict in meta["judge"]["verdicts"])

    def totals(self) -> RunTotals:
        """Return the totals so far, names in alphabetical order."""
        judging, spent = self._judging, self._spent
        judge = JudgeTotals(
            _sorted(self._verdicts), judging.repairs, judging.usage, judging.rounded_cost
        )
        return RunTotals(
            records=self._records,
            rejects=_sorted(self._reasons),
            codes=_sorted(self._codes),
            flags=_sorted(self._flags),
            repairs=spent.repairs,
            usage=spent.usage,
            cost=spent.rounded_cost,
            judge=None if judge.usage == Usage() else judge,
        )


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def totals_of(run: Path) -> RunTotals:
    """Add up a run directory."""
    return sum_up(read_rows(run, RECORDS), read_rows(run, REJECTS), read_rows(run, RETRIED))


def sum_up(
    records: Iterable[Mapping[str, Any]],
    rejects: Iterable[Mapping[str, Any]],
    retried: Iterable[Mapping[str, Any]] = (),
) -> RunTotals:
    """Add up parsed rows; of retried rejects only the cost counts."""
    counter = TotalsCounter()
    for row in retried:
        counter.add_spent(row.get("meta", {}))
    for row in records:
        counter.add_record(row.get("meta", {}), row.get("flags", ()))
    for row in rejects:
        counter.add_reject(row.get("meta", {}), row["reason"], row.get("codes", ()))
    return counter.totals()
