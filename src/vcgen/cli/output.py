"""Print lines, summaries and plans for people."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from vcgen.pipeline.plan import Plan

FIRST = 2  # of the factors that limit, in the summary


def tell(line: str) -> None:
    """A line on standard error, if anybody still reads it."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def print_summary(summary: dict[str, Any]) -> None:
    """The end of a run, for people."""
    usage = summary["usage"]
    rows = {
        "samples": f"{summary['samples']:,}",
        "records": f"{summary['records']:,}",
        "rejects": f"{summary['rejects']:,}",
        **{f"  {reason}": f"{count:,}" for reason, count in summary["rejects_by_reason"].items()},
        "done before": _unless_zero(summary["resumed"]),
        "requests": f"{summary['requests']:,}, {summary['retries']:,} repeated",
        "tokens": f"{usage['prompt_tokens']:,} in, {usage['completion_tokens']:,} out",
        "cost": money(summary["cost"]),
        "judge": _judged(summary["judge"]),
        "time": f"{summary['seconds']:,.1f} s, {summary['records_per_second']:,.1f} records/s",
        "limited by": _shares(summary["limited_by"], FIRST),
        "stopped": summary["stopped"] or "",
        "output": summary["output"],
    }
    for line in _aligned(rows):
        tell(line)


def print_plan(plan: Plan) -> None:
    """What a run would take, for people, on standard output."""
    rows = {
        "clips": f"{plan.clips:,}, of which {plan.sampled:,} were tried",
        "samples": f"{plan.samples:,}",
        "requests": f"{plan.requests:,}",
        "tokens": f"{plan.prompt_tokens:,} in, {plan.completion_tokens:,} out",
        "cost": money(plan.cost),
        "time": "unknown without --rpm, --tpm or --latency"
        if plan.seconds is None
        else f"{_duration(plan.seconds)}, for {plan.limited_by}",
    }
    if plan.judge is not None:
        rows |= {
            "judge": plan.judge.model,
            "  requests": f"{plan.judge.requests:,}",
            "  tokens": f"{plan.judge.prompt_tokens:,} in, {plan.judge.completion_tokens:,} out",
            "  cost": money(plan.judge.cost),
        }
    print("\n".join(_aligned(rows)))


def _judged(judge: Mapping[str, Any] | None) -> str:
    if judge is None:
        return ""
    usage = judge["usage"]
    return (
        f"{judge['model']}, {judge['requests']:,} requests, {usage['prompt_tokens']:,} tokens in, "
        f"{usage['completion_tokens']:,} out, cost {money(judge['cost'])}"
    )


def _aligned(rows: dict[str, str]) -> list[str]:
    shown = {label: text for label, text in rows.items() if text}
    width = max(map(len, shown))
    return [f"{label:<{width}}  {text}" for label, text in shown.items()]


def money(dollars: float | None) -> str:
    """US dollars, or that they are not known."""
    return "unknown" if dollars is None else f"${dollars:,.4f}"


def _shares(shares: Mapping[str, float], most: int) -> str:
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in [*shares.items()][:most])


def _unless_zero(count: int) -> str:
    return f"{count:,}" if count else ""


def _duration(seconds_left: float) -> str:
    minutes, seconds = divmod(int(seconds_left), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
