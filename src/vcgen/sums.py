"""The sums of a run: what its records and rejects say of themselves, added up for `run.json`.

Each call is in the usage of one sample, so all those of a directory are in the sum once, whichever
process made them. Pure; rows of older versions lack some of it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vcgen.records import Usage

_DIGITS = 9  # of dollars: what the order of adding changes lies beyond


@dataclass(slots=True)
class _Spent:
    """Tokens and US dollars of many calls; no dollars once those of any are not known."""

    usage: Usage = Usage()
    cost: float | None = 0.0

    def add(self, meta: Mapping[str, Any]) -> None:
        if "usage" not in meta:
            return
        self.usage += Usage(**meta["usage"])
        cost = meta.get("cost")
        self.cost = None if cost is None or self.cost is None else self.cost + cost

    def summary(self) -> dict[str, Any]:
        cost = None if self.cost is None else round(self.cost, _DIGITS)
        return {"usage": asdict(self.usage), "cost": cost}


def sum_up(
    records: Iterable[Mapping[str, Any]], rejects: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """The counts of `run.json`: outcomes, reasons, flags, repairs, usage and cost."""
    reasons, flags = Counter[str](), Counter[str]()
    spent, count, repairs = _Spent(), 0, 0
    for record in records:
        meta = record.get("meta", {})
        count += 1
        flags.update(record.get("flags", ()))
        spent.add(meta)
        repairs += meta.get("repairs", 0)
    for reject in rejects:
        reasons[reject["reason"]] += 1
        meta = reject.get("meta", {})
        spent.add(meta)
        repairs += meta.get("repairs", 0)
    return {
        "records": count,
        "rejects": dict(sorted(reasons.items())),
        "flags": dict(sorted(flags.items())),
        "repairs": repairs,
        **spent.summary(),
    }
