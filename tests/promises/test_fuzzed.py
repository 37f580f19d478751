"""What fuzzing begins with and what it has found (`tests/soak/fuzzing.py`), once more each time."""

import pytest

from tests.support import targets

FOUND = [
    # An id with half a character, and a checksum that is right.
    ("journal", b'\0{"id":"a\\"/\xc3"a"'),
    ("journal", b'\0{"id":"a\xc3","b":1'),
    ("journal", b'\0{"id":"\\'),
    # A last line without its end that holds what begins another.
    ("journal", b'\0{"id":"a","b":{"id":"c"}'),
    # An assertion in the library that mends JSON.
    ("replies", b"\x80" + b"```json\n{'" * 4 + b"ttur'~s: [attur'~s: [andu"),
]


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_fuzzing_found_stays_mended(name: str, data: bytes) -> None:
    for end in (b"\n", b""):
        targets.TARGETS[name](data + end)


@pytest.mark.parametrize("name", targets.TARGETS)
def test_seeds_of_fuzzing_break_no_promise_when_cut(name: str) -> None:
    for seed in targets.seeds()[name]:
        for end in {len(seed), len(seed) // 2, len(seed) - 1, 1, 0}:
            targets.TARGETS[name](seed[:end])
