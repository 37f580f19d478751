"""The memory of a run over hundreds of thousands of clips, or as many as VCGEN_SOAK_CLIPS says."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.support.heavy import measured_growth

CLIPS = int(os.environ.get("VCGEN_SOAK_CLIPS", "300000"))
WARM_UP = 50_000


@pytest.mark.timeout(900)
def test_a_clip_more_takes_twenty_bytes_at_most(tmp_path: Path) -> None:
    # In a process of its own: what other tests have freed would be used first.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        grown = alone.submit(measured_growth, CLIPS, WARM_UP, tmp_path / "run").result()
    print(
        f"\n{CLIPS:,} clips with a run directory: {grown.bytes_each:.1f} bytes a clip after the "
        f"first {WARM_UP:,}, {grown.resident_mb:.0f} MB in the end, {grown.cpu_us:.0f} us CPU each"
    )
    assert grown.bytes_each < 20
