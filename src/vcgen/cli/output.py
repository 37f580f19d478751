"""Print lines and summaries for people. Imports nothing that takes time to load."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from vcgen.cli.stderr import STDERR
from vcgen.data.formatting import duration, money
from vcgen.engine.plain_text import plain, plain_lines

if TYPE_CHECKING:  # it takes a fifth of a second to load
    from vcgen.pipeline.progress import JudgeSummary, RunSummary


MOST_CODES = 5


def tell(line: str) -> None:
    """Print a line on standard error; give up if nothing takes it.

    In a running loop, post it by `STDERR.line` instead, which never waits.
    """
    STDERR.line(plain(line))
    STDERR.wait()


def print_lines(text: str) -> None:
    """Print lines on standard output, in the characters that it can show."""
    encoding = sys.stdout.encoding or "utf-8"
    print(
        plain_lines(text.removesuffix("\n")).encode(encoding, "backslashreplace").decode(encoding)
    )


def print_json(value: object) -> None:
    """Print a value on standard output for programs, which get every character."""
    import orjson  # noqa: PLC0415 - most commands print none

    print(orjson.dumps(value).decode())


def print_summary(summary: "RunSummary") -> None:
    """Print the end of a run on standard error."""
    usage = summary.usage
    rows = {
        "samples": f"{summary.samples:,}",
        "records": f"{summary.records:,}",
        "rejects": f"{summary.rejects:,}",
        **_rejects(summary),
        "done before": unless_zero(summary.resumed),
        "requests": f"{summary.requests:,}, {summary.retries:,} repeated",
        "tokens": f"{usage.prompt_tokens:,} in, {usage.completion_tokens:,} out",
        "cost": money(summary.cost),
        "judge": judge_line(summary.judge),
        "time": f"{duration(summary.seconds)}, {summary.records_per_second:,.1f} records/s",
        "limited by": largest_shares(summary.limited_by, 2),
        "left out": left_out(summary.left_out),
        "stopped": summary.stopped or "",
        "output": summary.output or "",
    }
    for line in aligned(rows):
        tell(line)


def _rejects(summary: "RunSummary") -> dict[str, str]:
    """The rejects of each reason, and what most of those of this run have in common."""
    rows = dict[str, str]()
    for reason, count in summary.rejects_by_reason.items():
        note = summary.commonest_messages.get(reason, "")
        if reason == "failed_checks":
            codes = [f"{code} {n:,}" for code, n in [*summary.rejects_by_code.items()][:MOST_CODES]]
            note = ", ".join(codes) or note
        rows[f"  {reason}"] = f"{count:,}" + (f"   {note}" if note else "")
    return rows


def judge_line(judge: "JudgeSummary | None") -> str:
    """The judge's requests, tokens and cost, nothing without a judge."""
    if judge is None:
        return ""
    usage = judge.usage
    return (
        f"{judge.model}, {judge.requests:,} requests, {usage.prompt_tokens:,} tokens in, "
        f"{usage.completion_tokens:,} out, cost {money(judge.cost)}"
    )


def left_out(endpoints: Mapping[str, str]) -> str:
    """The endpoints that got no request any more, and why; nothing without one."""
    return "; ".join(f"{name}: {reason}" for name, reason in endpoints.items())


def aligned(rows: dict[str, str]) -> list[str]:
    """Lines of label and text in two columns; empty texts are left out."""
    shown = {label: text for label, text in rows.items() if text}
    width = max(map(len, shown))
    return [f"{label:<{width}}  {text}" for label, text in shown.items()]


def largest_shares(shares: Mapping[str, float], most: int) -> str:
    """The first `most` of shares that are sorted already, in percent."""
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in [*shares.items()][:most])


def unless_zero(count: int) -> str:
    """A count, or nothing for zero."""
    return f"{count:,}" if count else ""
