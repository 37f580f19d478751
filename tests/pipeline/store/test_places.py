"""Which clip ids were taken, and where: as a dict would say it, in a tenth of the memory."""

import tracemalloc

from hypothesis import given, strategies as st

from vcgen.pipeline.store.places import Places

IDS = st.sampled_from([f"clip{number}" for number in range(40)] + ["7", "007", "c"])
FORMS = st.sampled_from(
    (
        *("clips.jsonl:{n}", "clips[{n}]", "#2 clips.jsonl:{n}", "a b: {n}", "a.json:00{n}"),
        *("a.json:{key}", "b.json:{key}.mp4", "one.txt", "{n}", ""),
    )
)
NUMBERS = st.integers(0, 200) | st.integers(0, 10**30)


@given(st.lists(st.tuples(IDS, FORMS, NUMBERS), max_size=100))
def test_the_first_place_of_an_id_is_told_to_all_that_come_after(
    rows: list[tuple[str, str, int]],
) -> None:
    places, told = Places(), dict[str, str]()
    for key, form, number in rows:
        place = form.format(n=number, key=key)
        assert places.take(key, place) == told.get(key)
        told.setdefault(key, place)
    for key, place in told.items():
        assert places.take(key, "again:1") == place


def test_a_row_of_a_json_object_is_named_by_its_key() -> None:
    places = Places()
    assert places.take("dog", "a.json:dog") is None
    assert places.take("cat", "a.json:cat") is None
    assert places.take("007", "a.json:007") is None
    assert places.take("dog", "b.json:dog") == "a.json:dog"
    assert places.take("007", "b.json:007") == "a.json:007"


def test_ids_of_a_large_file_are_all_known_after_it() -> None:
    places = Places()
    for number in range(0, 40_000, 2):
        assert places.take(f"clip{number}", f"clips.jsonl:{number}") is None
    for number in range(0, 40_000, 2):
        assert places.take(f"clip{number}", "again:1") == f"clips.jsonl:{number}"


def test_numbers_far_apart_do_not_use_up_the_codes() -> None:
    places = Places()
    for number in range(0, 10**12, 10**9):
        assert places.take(f"clip{number}", f"clips.jsonl:{number}") is None
    for number in range(0, 10**12, 10**9):
        assert places.take(f"clip{number}", "again:1") == f"clips.jsonl:{number}"


def test_an_id_takes_at_most_twenty_bytes() -> None:
    count = 30_000
    for form in ("clips.jsonl:{n}", "clips[{n}]", "a.json:{key}", "a.json:{key}.mp4"):
        tracemalloc.start()
        try:
            places = Places()
            for number in range(count):
                key = f"clip{number}"
                places.take(key, form.format(n=number, key=key))
            used, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert used / count < 20
