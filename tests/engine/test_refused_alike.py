"""A configuration is to blame for refusals of different calls in the same words."""

from vcgen.engine.refused_alike import FIRST, LATER, RefusedAlike


def refuse(alike: RefusedAlike, calls: range, words: str = "no") -> list[bool]:
    long = []
    for call in calls:
        alike.on_refused(call, words)
        long.append(alike.is_long)
    return long


def test_the_first_calls_prove_it_while_nothing_is_answered() -> None:
    assert refuse(RefusedAlike(), range(FIRST)) == [False] * (FIRST - 1) + [True]


def test_one_call_proves_nothing_however_often_it_is_refused() -> None:
    alike = RefusedAlike()
    for _ in range(100):
        assert not any(refuse(alike, range(1)))


def test_an_answer_ends_a_row_and_a_longer_one_is_needed() -> None:
    alike = RefusedAlike()
    refuse(alike, range(FIRST - 1))
    alike.on_answered()
    assert refuse(alike, range(LATER)) == [False] * (LATER - 1) + [True]
    alike.on_answered()
    assert not alike.is_long


def test_a_refusal_is_held_until_the_first_answer_and_in_a_long_row() -> None:
    alike = RefusedAlike()
    refuse(alike, range(1))
    assert alike.is_held
    alike.on_answered()
    refuse(alike, range(LATER - 1))
    assert not alike.is_held
    refuse(alike, range(LATER))
    assert alike.is_held


def test_other_words_are_another_row() -> None:
    alike = RefusedAlike()
    assert not any(refuse(alike, range(FIRST - 1), "no"))
    assert not any(refuse(alike, range(FIRST - 1), "never"))
