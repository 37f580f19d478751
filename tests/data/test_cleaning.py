from collections import Counter

import pytest
from hypothesis import given, strategies as st

from vcgen.data.cleaning import Box, Event, are_clean, clean_events, clean_text

NASTY = "ab. \t\n\u00a0\u2028\u0000\u001b\u200b\u200d\u202e\ufeff\ud800ü日"
texts = st.text(alphabet=NASTY, max_size=6)
seconds = st.integers(-3, 12).map(float) | st.floats(-1e6, 1e6)
boxes = st.none() | st.sampled_from([(0.0, 0.0, 1.0, 1.0), (0.5, 0.1, 0.2, 0.9), (0, 0, 640, 480)])
events = st.builds(Event, seconds, seconds, texts, st.sampled_from(["caption", "speech"]), boxes)
likely_clean = st.builds(
    Event,
    st.sampled_from([0.0, 1.0, 2.0]),
    st.sampled_from([2.0, 3.0]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["caption", "speech"]),
    st.none() | st.just((0.0, 0.0, 0.5, 0.5)),
)
timelines = st.lists(events, max_size=6) | st.lists(likely_clean, max_size=4).map(
    lambda some: sorted(some, key=lambda event: event.start)
)
durations = st.none() | st.sampled_from([1.0, 3.0, 10.0])


def event(
    start: float, end: float, text: str, source: str = "caption", box: Box | None = None
) -> Event:
    return Event(start, end, text, source, box)


@given(timelines, durations)
def test_evidence_is_clean_if_cleaning_changes_nothing(
    timeline: list[Event], duration: float | None
) -> None:
    counts: Counter[str] = Counter()
    cleaned = clean_events(timeline, duration, counts)
    unchanged = cleaned == timeline and not any(counts.values())
    assert are_clean(timeline, duration) == unchanged


@given(timelines, durations)
def test_cleaned_evidence_is_clean(timeline: list[Event], duration: float | None) -> None:
    cleaned = clean_events(timeline, duration, Counter())
    assert are_clean(cleaned, duration)


@given(st.text(alphabet=NASTY))
def test_cleaning_text_twice_changes_nothing_more(text: str) -> None:
    once = clean_text(text, Counter())
    counts: Counter[str] = Counter()
    assert clean_text(once, counts) == once
    assert not any(counts.values())
    once.encode()


@pytest.mark.parametrize(
    ("dirty", "clean", "counted"),
    [
        ("a  dog\r\n runs ", "a dog runs", {"padding": 1}),
        ("a \u202edog\u0000", "a dog", {"control_characters": 2}),
        ("a\u2028dog", "a dog", {"padding": 1}),
        ("कर्\u200dम", "कर्\u200dम", {}),
    ],
)
def test_text_loses_what_cannot_be_seen_and_nothing_else(
    dirty: str, clean: str, counted: dict[str, int]
) -> None:
    counts: Counter[str] = Counter()
    assert clean_text(dirty, counts) == clean
    assert dict(counts) == counted


@pytest.mark.parametrize(
    ("dirty", "clean", "counted"),
    [
        ([event(5, 3, "x")], [event(5, 5, "x")], {"start_after_end": 1}),
        ([event(-1, 3, "x")], [event(0, 3, "x")], {"before_start": 1}),
        ([event(8, 14, "x")], [event(8, 10, "x")], {"past_end": 1}),
        ([event(11, 14, "x")], [], {"past_end": 1}),
        ([event(10, 10, "x")], [event(10, 10, "x")], {}),
        ([event(1, 2, " \u200b")], [], {"control_characters": 1, "padding": 1, "empty": 1}),
        (
            [event(4, 5, "y"), event(1, 2, "x")],
            [event(1, 2, "x"), event(4, 5, "y")],
            {"unsorted": 1},
        ),
        ([event(1, 2, "x"), event(2, 6, "x")], [event(1, 6, "x")], {"repeats": 1}),
        (
            [event(1, 2, "x"), event(1, 2, "x", "speech")],
            [event(1, 2, "x"), event(1, 2, "x", "speech")],
            {},
        ),
        ([event(1, 2, "x", box=(0, 0, 640, 480))], [event(1, 2, "x")], {"bad_box": 1}),
    ],
)
def test_each_fault_of_an_event_is_repaired_and_counted(
    dirty: list[Event], clean: list[Event], counted: dict[str, int]
) -> None:
    counts: Counter[str] = Counter()
    assert clean_events(dirty, 10.0, counts) == clean
    assert {name: count for name, count in counts.items() if count} == counted
    assert are_clean(dirty, 10.0) == (not counted)


def test_merging_repeats_keeps_the_order_of_simultaneous_events() -> None:
    timeline = [event(0, 1, "a"), event(0, 2, "b", "speech"), event(0, 5, "a")]
    once = clean_events(timeline, None, Counter())
    assert once == [event(0, 5, "a"), event(0, 2, "b", "speech")]
    assert clean_events(once, None, Counter()) == once
