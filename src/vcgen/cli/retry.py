"""`vcgen retry`: move rejects aside, so that the next run makes their samples again."""

from pathlib import Path

from vcgen.cli.app import command, option
from vcgen.cli.options import RUN
from vcgen.cli.output import tell
from vcgen.data.records import Reason
from vcgen.errors import UsageError
from vcgen.pipeline.store.retry import CAN_PASS, set_aside


@command
def retry(
    run: Path = RUN,
    *,
    reason: str | None = option(
        "REASON,...",
        f"Reasons of the rejects, or all. Default: {', '.join(sorted(CAN_PASS))}.",
    ),
) -> None:
    """Move rejects aside; the same `vcgen generate` then makes their samples again."""
    moved = set_aside(run, CAN_PASS if reason is None else _reasons(reason))
    if not moved:
        tell(f"vcgen: {run} has no such rejects")
        return
    counts = ", ".join(f"{name} {count:,}" for name, count in moved.most_common())
    tell(f"moved aside: {counts}; the same `vcgen generate` makes these samples again")


def _reasons(text: str) -> set[Reason]:
    if text == "all":
        return set(Reason)
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in {*Reason}]:
        raise UsageError(
            f"unknown reason {unknown[0]!r}; choose from all, {', '.join(sorted(Reason))}"
        )
    return set(map(Reason, names))
