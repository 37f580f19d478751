"""Seconds by what held the next request back."""

from typing import get_args

from vcgen.engine.limits.bottleneck import BottleneckTimes, Limit


def test_times_have_a_field_for_each_limit() -> None:
    assert set(BottleneckTimes.__slots__) == set(get_args(Limit))


def test_times_add_up_and_come_apart_again() -> None:
    first, second = BottleneckTimes(rpm=2.0, caller=1.0), BottleneckTimes(rpm=0.5, server=3.0)
    assert first + second == BottleneckTimes(rpm=2.5, caller=1.0, server=3.0)
    assert first + second - second == first


def test_shares_are_of_the_whole_and_the_largest_first() -> None:
    shares = BottleneckTimes(rpm=1.0, concurrency=3.0).shares()
    assert list(shares.items()) == [("concurrency", 0.75), ("rpm", 0.25)]
    assert BottleneckTimes().shares() == {}
