"""The sequential test that finds an endpoint whose refusals its peers dispute."""

from random import Random

import pytest

from vcgen.engine.limits.outliers import USUAL_SHARE, OutlierTest


def test_endpoint_that_refuses_all_is_proven_by_ten_refusals() -> None:
    test = OutlierTest()
    for _ in range(9):
        test.on_disputed()
    assert not test.is_proven
    test.on_disputed()
    assert test.is_proven
    assert test.disputed == 10


@pytest.mark.parametrize("answered_first", [0, 10_000])
def test_half_refused_is_proven_within_30_requests_whatever_was_before(answered_first: int) -> None:
    test = OutlierTest()
    for _ in range(answered_first):
        test.on_answered()
    for _ in range(15):
        test.on_answered()
        test.on_disputed()
    assert test.is_proven


def test_usual_differences_are_hardly_ever_taken_for_an_outlier() -> None:
    """Wald's bound is one in a million suspicions; there are some 10,000 in each of these runs."""
    proven = 0
    for seed in range(20):
        test, random = OutlierTest(), Random(seed)  # noqa: S311 - repeatable
        for _ in range(100_000):
            if random.random() < USUAL_SHARE:
                test.on_disputed()
            else:
                test.on_answered()
            proven += test.is_proven
    assert proven == 0


def test_suspicion_ends_with_answers() -> None:
    test = OutlierTest()
    assert not test.is_suspect
    test.on_disputed()
    assert test.is_suspect
    for _ in range(4):
        test.on_answered()
    assert not test.is_suspect
