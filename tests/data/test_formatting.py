"""Money and durations as people read them."""

import pytest

from vcgen.data.formatting import SPACE, duration, money, percent, short


@pytest.mark.parametrize(
    ("dollars", "shown"),
    [
        (None, "unknown"),
        (0, "$0.00"),
        (0.00012, "$0.0001"),
        (0.5, "$0.5000"),
        (1, "$1.00"),
        (1234.5, "$1,234.50"),
    ],
)
def test_money_shows_cents_or_what_is_less(dollars: float | None, shown: str) -> None:
    assert money(dollars) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0 s"),
        (12.34, "12.3 s"),
        (119.9, "119.9 s"),
        (120, "2 min"),
        (3599, "1 h 0 min"),
        (5400, "1 h 30 min"),
        (3_600_000, "1,000 h 0 min"),
    ],
)
def test_duration_uses_the_largest_fitting_units(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 9, "0 %"),
        (9, 9, "100 %"),
        (1, 1_000_000, "0.1 %"),
        (999_999, 1_000_000, "99.9 %"),
        (1, 400, "0.2 %"),
        (1, 3, "33 %"),
    ],
)
def test_percent_is_0_or_100_only_where_it_is(part: int, whole: int, shown: str) -> None:
    assert percent(part, whole) == shown.replace(" ", SPACE)


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (0.5, "0.5"), (999, "999"), (1234, "1.23 k"), (999_900, "999,900"), (2e9, "2 G")],
)
def test_short_has_three_digits_and_a_letter(number: float, shown: str) -> None:
    assert short(number) == shown.replace(" ", SPACE)
