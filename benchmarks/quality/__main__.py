"""The command `python -m benchmarks.quality [--samples N] [--all] [CLIPS ...]`."""

import argparse
from collections import Counter
from pathlib import Path

from benchmarks.harness import ROOT
from benchmarks.quality.measure import Tally, clips_of, made_up_clips, saved, table, tally

_REPAIRS = (0, 1, 2)
_OF_RUN = 300  # clips


def main() -> None:
    """Print both tables, and with --all the faults missed and the clean samples rejected."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality")
    parser.add_argument("clips", type=Path, nargs="*", help="in place of the examples")
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--all", action="store_true", help="show missed faults and wrong findings")
    options = parser.parse_args()
    if options.clips:
        clips = clips_of(*options.clips)
    else:
        clips = [*clips_of(ROOT / "examples/clips.jsonl"), *made_up_clips(300)]
    told = tally(clips, count=options.samples)
    print(table(told))
    flagged = len(told.wrong)
    print(f"\nclean: {told.clean}, rejected {told.rejected / told.clean:.2%}, ", end="")
    print(f"flagged or rejected {flagged / told.clean:.2%}: ", end="")
    print(Counter(problem.code for _, found in told.wrong for problem in found))
    if options.all:
        _show(told)
    print("\n| repairs | samples | kept | saved of those lost without |\n|--:|--:|--:|--:|")
    made, first = saved(clips[:_OF_RUN], 0)
    for repairs in _REPAIRS:
        kept = saved(clips[:_OF_RUN], repairs)[1]
        print(f"| {repairs} | {made} | {kept / made:.1%} | {(kept - first) / (made - first):.1%} |")


def _show(told: Tally) -> None:
    for sample in told.missed:
        print(f"missed {sample.planted} of {sample.clip.id}: {sample.turns}")
    for sample, problems in told.wrong:
        print(f"wrong in {sample.clip.id}: {[*map(str, problems)]}")


if __name__ == "__main__":
    main()
