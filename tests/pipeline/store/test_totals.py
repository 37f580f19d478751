"""Totals of a run: every call once, and no cost if any price is unknown."""

from typing import Any

from vcgen.engine.chat import Usage
from vcgen.pipeline.store.totals import sum_up

USAGE = {"prompt_tokens": 10, "completion_tokens": 2, "cached_tokens": 0}


def row(cost: float | None = 0.5, **fields: Any) -> dict[str, Any]:
    return {"meta": {"usage": USAGE, "cost": cost, "repairs": 1}, **fields}


def test_records_and_rejects_are_added_up() -> None:
    totals = sum_up([row(flags=["b", "a"]), row(flags=["a"])], [row(reason="leak")])
    assert (totals.records, totals.rejects, totals.flags) == (2, {"leak": 1}, {"a": 2, "b": 1})
    assert (totals.repairs, totals.cost, totals.usage) == (3, 1.5, Usage(30, 6, 0))
    assert (totals.rejected, totals.samples) == (1, 3)
    assert "judge" not in totals.to_json()


def test_one_unknown_price_makes_the_cost_unknown() -> None:
    assert sum_up([row(), row(cost=None), row()], []).cost is None


def test_rows_without_metadata_are_counted() -> None:
    assert sum_up([{}], [{"reason": "invalid_clip"}]).samples == 2


def test_the_judge_has_totals_of_its_own() -> None:
    judged = row()
    judged["meta"]["judge"] = {"usage": USAGE, "cost": 0.1, "verdicts": [{"verdict": "supported"}]}
    judge = sum_up([judged, judged], []).judge
    assert judge is not None
    assert (judge.verdicts, judge.cost, judge.usage) == ({"supported": 2}, 0.2, Usage(20, 4, 0))
    assert sum_up([judged], []).to_json()["judge"]["verdicts"] == {"supported": 1}


def test_codes_of_rejects_are_counted() -> None:
    rejects = [row(reason="failed_checks", codes=["a", "b"]), row(reason="leak", codes=["a"])]
    assert sum_up([], rejects).to_json()["codes"] == {"a": 2, "b": 1}
    assert "codes" not in sum_up([], [row(reason="leak")]).to_json()


def test_of_retried_rejects_the_cost_counts() -> None:
    totals = sum_up([row()], [], [row(reason="leak", codes=["a"])])
    assert (totals.samples, totals.cost, totals.codes) == (1, 1.0, {})


def test_usage_that_an_endpoint_does_not_state_is_not_counted() -> None:
    unknown = {"meta": {"usage": None, "cost": None}}
    totals = sum_up([row(), unknown], [])
    assert (totals.usage, totals.cost) == (Usage(10, 2, 0), None)
