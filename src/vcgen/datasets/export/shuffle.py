"""The records of a run in an order drawn at random, in memory of 8 bytes a record."""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

from vcgen.data.records import Record
from vcgen.pipeline.store.atomic_files import open_lines, scan_line
from vcgen.pipeline.store.layout import RECORDS, parts
from vcgen.pipeline.store.lines import decode_line


def read_shuffled(
    run: Path | str, seed: int = 0, damaged: Counter[str] | None = None
) -> Iterator[Record]:
    """The records of a run directory, in an order that depends on what it holds and on the seed.

    Damaged lines are passed over and counted, as `vcgen.store.read_records` does.
    """
    files = parts(Path(run), RECORDS)
    # As if the files were one: where each begins, and then where each line does.
    begins, lines, at = list[int](), array("Q"), 0
    for path in files:
        begins.append(at)
        with open_lines(path) as file:
            for line in file:
                lines.append(at)
                at += len(line)
    Random(seed).shuffle(lines)  # noqa: S311 - an order to repeat, no secret
    with ExitStack() as stack:
        opened = [stack.enter_context(open_lines(path)) for path in files]
        for line_at in lines:
            number = bisect_right(begins, line_at) - 1
            opened[number].seek(line_at - begins[number])
            whole, rest = scan_line(opened[number].readline())
            if rest is not None and damaged is not None:
                damaged[files[number].name] += 1
            for _, line in whole:
                yield Record.from_json(decode_line(line))
