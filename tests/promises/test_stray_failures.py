"""A failure now and then, of any kind, is never taken for an outage and costs next to no rate.

In virtual time, beside the same run without; `python -m benchmarks strays` has the whole table.
"""

import pytest

from benchmarks.strays import Cell, clean_seconds, end

SAMPLES = 8_000
LEAST_KEPT = {0.01: 0.9, 0.05: 0.75}
# Each kind, share, latency, number in flight and way of giving limits, most where most can happen
# before the first reply comes.
CELLS = [
    Cell("500", 0.01, 5.0, 512, "concurrency"),
    Cell("500", 0.05, 5.0, 512, "rpm"),
    Cell("500", 0.05, 1.0, 64, "nothing"),
    Cell("503", 0.05, 5.0, 64, "concurrency"),
    Cell("503+2", 0.01, 5.0, 512, "concurrency"),
    Cell("503+2", 0.05, 5.0, 64, "rpm"),
    Cell("429", 0.05, 5.0, 512, "nothing"),
    Cell("429+2", 0.01, 5.0, 512, "rpm"),
    Cell("reset", 0.05, 5.0, 512, "nothing"),
    Cell("close", 0.01, 5.0, 64, "concurrency"),
    Cell("refused", 0.01, 5.0, 512, "rpm"),
    Cell("refused", 0.05, 1.0, 64, "concurrency"),
    Cell("handshake", 0.05, 5.0, 64, "concurrency"),
    Cell("handshake", 0.01, 5.0, 64, "nothing"),
    Cell("500", 0.05, 5.0, 64, "concurrency", endpoints=2),
    Cell("refused", 0.05, 5.0, 64, "rpm", endpoints=2),
]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: "-".join(map(str, cell)))
def test_strays_are_no_outage_and_keep_most_of_the_rate(cell: Cell) -> None:
    run = end(cell, 0, SAMPLES)
    assert (run.failed, run.outages) == (0, 0)
    assert clean_seconds(cell, 0, SAMPLES) / run.seconds >= LEAST_KEPT[cell.share]
