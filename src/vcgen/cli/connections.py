"""Make room for the connections of a run, or say what the limit of open files leaves."""

from collections.abc import Sequence
from math import ceil

from vcgen.cli.output import tell
from vcgen.engine.config import Limits
from vcgen.engine.transport.descriptors import (
    files_for,
    most_connections,
    open_files,
    raise_limit,
)
from vcgen.errors import UsageError

# A search for the number in flight seldom ends above it.
ENOUGH = 256


def allow_connections(limits: Sequence[Limits], workers: int) -> None:
    """Raise the limit of open files as far as it goes; print one line where that is little.

    Args:
        limits: of each endpoint, for the whole run.
        workers: processes that divide them.

    Raises:
        UsageError: a `--concurrency` that was given needs more connections than can be open.
    """
    raise_limit()
    files, most = open_files(), most_connections()
    given = _each(workers, [limit.concurrency or 0 for limit in limits])
    if given > most:
        raise UsageError(
            f"{given:,} requests in flight need {files_for(given):,} open files, and this process "
            f"may open {files:,} (ulimit -n): raise that limit, or give a --concurrency of at most "
            f"{most * workers:,}"
        )
    wanted = _each(workers, [limit.in_flight or ENOUGH for limit in limits])
    if wanted > most:
        tell(
            f"vcgen: the limit of {files:,} open files (ulimit -n) leaves {most:,} requests in "
            "flight"
        )


def _each(workers: int, requests: Sequence[int]) -> int:
    """The most requests that one process has in flight."""
    return ceil(sum(requests) / workers)
