"""Which clip ids were taken, and where: as a dict would say it, in a fifth of the memory."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from vcgen.places import Places

IDS = st.sampled_from([f"clip{number}" for number in range(40)])
FORMS = st.sampled_from(["clips.jsonl:{}", "clips[{}]", "#2 clips.jsonl:{}", "a b: {}"])


@given(st.lists(st.tuples(IDS, FORMS, st.integers(0, 10**12))))
def test_the_first_place_of_an_id_is_told_to_all_that_come_after(
    rows: list[tuple[str, str, int]],
) -> None:
    places, told = Places(), dict[str, str]()
    for key, form, number in rows:
        place = form.format(number)
        assert places.take(key, place) == told.get(key)
        told.setdefault(key, place)


def test_a_row_of_a_json_object_is_named_by_its_key() -> None:
    places = Places()
    assert places.take("dog", "a.json:dog") is None
    assert places.take("cat", "a.json:cat") is None
    assert places.take("007", "a.json:007") is None
    assert places.take("dog", "b.json:dog") == "a.json:dog"
    assert places.take("007", "b.json:007") == "a.json:007"


def test_tables_that_have_grown_still_know_every_id() -> None:
    places = Places()
    for number in range(20_000):
        assert places.take(f"clip{number}", f"clips.jsonl:{number}") is None
    for number in range(20_000):
        assert places.take(f"clip{number}", "again:1") == f"clips.jsonl:{number}"


def test_an_id_takes_at_most_forty_bytes() -> None:
    count = 30_000
    tracemalloc.start()
    try:
        places = Places()
        for number in range(count):
            places.take(f"clip{number}", f"clips.jsonl:{number}")
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used / count < 40
