"""Timing: times after the end, and events in another order than in the evidence."""

import pytest

from tests.support.check_examples import (
    FIRST_TURN,
    FOUND,
    missed,
    missed_turns,
    mistaken,
    mistaken_turns,
    turn_codes,
)
from tests.support.common import make_clip
from vcgen.checks.checker import Checker
from vcgen.checks.timing import extract_times


def test_time_after_the_end_is_found() -> None:
    assert missed("time-past-end") == []


def test_other_numbers_and_clocks_pass() -> None:
    assert mistaken("time-past-end") == []


def test_time_in_a_question_is_found() -> None:
    for text in FOUND["time-past-end"]:
        assert "time-past-end" in {found.code for found in Checker(make_clip()).question(text)}


def test_without_a_duration_no_time_is_late() -> None:
    unknown = Checker(make_clip(duration=None))
    assert not [text for text in FOUND["time-past-end"] if unknown.answer(text, "temporal")]


def test_duration_rounded_up_passes() -> None:
    checker = Checker(make_clip(duration=219.48))  # which prompts show as 219.5
    assert checker.answer("It lasts about 220 seconds.", "temporal") == []
    assert checker.answer("It ends at 221 seconds.", "temporal") != []


def test_duration_given_by_the_evidence_passes() -> None:
    clip = make_clip(caption="Boil the eggs for 90 seconds.")
    assert Checker(clip).answer("He boils the eggs for 90 seconds.", "causal") == []


def test_wrong_order_is_found() -> None:
    assert missed_turns("order") == []


def test_order_of_the_evidence_passes() -> None:
    assert mistaken_turns("order") == []


def test_only_text_after_the_last_comma_names_the_event() -> None:
    asked = "What happens after the fisherman unties the rope, once he is ready to leave?"
    assert "order" not in turn_codes(FIRST_TURN, (asked, "Young men carry things on a pier."))


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("At 3.5 seconds he waves, at 0:12 he leaves.", [3.5, 12]),
        ("From 3 to 5 seconds, then 7-9s.", [3, 5, 7, 9]),
        ("It takes 30 seconds, for about 2 minutes.", []),
        ("", []),
    ],
)
def test_times_of_a_text_are_listed_without_durations(text: str, times: list[float]) -> None:
    assert extract_times(text) == times
