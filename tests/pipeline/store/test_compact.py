"""Sets and dicts of names in arrays: they say what a set and a dict would say, in less memory."""

import tracemalloc
from collections import Counter

from hypothesis import given, strategies as st

from vcgen.pipeline.store.compact import CompactMap, CompactSet

NAMES = st.text("ab", max_size=4)


@given(st.lists(st.tuples(NAMES, st.booleans())))
def test_a_name_is_in_the_set_once_it_was_added(steps: list[tuple[str, bool]]) -> None:
    names, known = CompactSet(), set[str]()
    for name, adding in steps:
        if adding:
            names.add(name)
            known.add(name)
        else:
            assert (name in names) == (name in known)


@given(st.lists(st.tuples(NAMES, st.integers(0, 2**32 - 1))))
def test_a_name_keeps_the_number_it_was_given_first(rows: list[tuple[str, int]]) -> None:
    index, known = CompactMap("I"), dict[str, int]()
    for name, number in rows:
        assert index.get(name) == known.get(name)
        assert index.add(name, number) == known.get(name)
        known.setdefault(name, number)
    assert bool(index) == bool(known)
    assert all(index.get(name) == number for name, number in known.items())


def test_many_names_are_all_found_and_take_few_bytes() -> None:
    count, most = 50_000, 2**64 - 1
    tracemalloc.start()
    try:
        index = CompactMap("Q")
        for number in range(count):
            assert index.add(f"clip{number}", most - number) is None
        indexed, _ = tracemalloc.get_traced_memory()
        names = CompactSet()
        for number in range(count):
            names.add(f"clip{number}")
        assert "clip" not in names
        both, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert all(index.get(f"clip{number}") == most - number for number in range(count))
    assert index.get("clip") is None
    assert all(f"clip{number}" in names for number in range(count))
    assert indexed / count < 20
    assert (both - indexed) / count < 10


def test_seen_ids_take_at_most_twenty_bytes_each() -> None:
    """As a run keeps one entry for every clip it has seen, and looks before it adds."""
    count = 30_000
    tracemalloc.start()
    try:
        seen = CompactMap("B")
        assert all(seen.add(f"clip{number}", 1) is None for number in range(count))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert all(seen.add(f"clip{number}", 1) == 1 for number in range(count))
    assert used / count < 20


@given(st.lists(NAMES))
def test_a_count_is_how_often_a_name_came(names: list[str]) -> None:
    index, known = CompactMap("I"), Counter[str]()
    for name in names:
        known[name] += 1
        assert index.count(name) == known[name]
