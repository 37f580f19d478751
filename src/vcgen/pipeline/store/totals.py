"""The sums of a run: what its records and rejects say of themselves, added up for `run.json`.

Each call is in the usage of one sample, so all those of a directory are in the sum once, whichever
process made them. Pure; rows of older versions lack some of it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from vcgen.engine.chat import Usage

_DIGITS = 9  # of dollars: what the order of adding changes lies beyond


@dataclass(slots=True)
class _Spent:
    """What many samples took; no dollars once those of any are not known."""

    repairs: int = 0
    usage: Usage = Usage()
    cost: float | None = 0.0

    def add(self, meta: Mapping[str, Any]) -> None:
        if "usage" not in meta:
            return
        self.repairs += meta.get("repairs", 0)
        self.usage += Usage(**meta["usage"])
        cost = meta.get("cost")
        self.cost = None if cost is None or self.cost is None else self.cost + cost

    def summary(self) -> dict[str, Any]:
        cost = None if self.cost is None else round(self.cost, _DIGITS)
        return {"repairs": self.repairs, "usage": asdict(self.usage), "cost": cost}


class RunTotals:
    """The sums of outcomes, taken one at a time."""

    def __init__(self) -> None:
        self._records = 0
        self._reasons, self._flags, self._verdicts = Counter[str](), Counter[str](), Counter[str]()
        self._spent, self._judging = _Spent(), _Spent()

    def add(self, meta: Mapping[str, Any], flags: Iterable[str], reason: str | None) -> None:
        """Take in an outcome; only a reject has a reason."""
        if reason is None:
            self._records += 1
        else:
            self._reasons[reason] += 1
        self._flags.update(flags)
        self._spent.add(meta)
        if "judge" in meta:
            self._judging.add(meta["judge"])
            self._verdicts.update(each["verdict"] for each in meta["judge"]["verdicts"])

    def summary(self) -> dict[str, Any]:
        """Outcomes, reasons, flags, repairs, usage, cost; the judge's too, if there was one."""
        counts = {
            "records": self._records,
            "rejects": dict(sorted(self._reasons.items())),
            "flags": dict(sorted(self._flags.items())),
            **self._spent.summary(),
        }
        if self._judging.usage != Usage():
            verdicts = dict(sorted(self._verdicts.items()))
            counts["judge"] = {"verdicts": verdicts, **self._judging.summary()}
        return counts


def sum_up(
    records: Iterable[Mapping[str, Any]], rejects: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """The counts of `run.json`.

    Args:
        records, rejects: their rows; only rejects have a reason.
    """
    sums = RunTotals()
    for row in chain(records, rejects):
        sums.add(row.get("meta", {}), row.get("flags", ()), row.get("reason"))
    return sums.summary()
