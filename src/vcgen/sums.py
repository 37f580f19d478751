"""The sums of a run: what its records and rejects say of themselves, added up for `run.json`.

Each call is in the usage of one sample, so all those of a directory are in the sum once, whichever
process made them. Pure; rows of older versions lack some of it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from vcgen.records import Usage

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


def sum_up(
    records: Iterable[Mapping[str, Any]], rejects: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """The counts of `run.json`: outcomes, reasons, flags, repairs, usage, cost; the judge's too.

    Args:
        records, rejects: their rows; only rejects have a reason.
    """
    reasons, flags, verdicts = Counter[str](), Counter[str](), Counter[str]()
    spent, judging = _Spent(), _Spent()
    count = 0
    for row in chain(records, rejects):
        if "reason" in row:
            reasons[row["reason"]] += 1
        else:
            count += 1
        flags.update(row.get("flags", ()))
        meta = row.get("meta", {})
        spent.add(meta)
        if "judge" in meta:
            judging.add(meta["judge"])
            verdicts.update(each["verdict"] for each in meta["judge"]["verdicts"])
    counts = {
        "records": count,
        "rejects": dict(sorted(reasons.items())),
        "flags": dict(sorted(flags.items())),
        **spent.summary(),
    }
    if judging.usage != Usage():
        counts["judge"] = {"verdicts": dict(sorted(verdicts.items())), **judging.summary()}
    return counts
