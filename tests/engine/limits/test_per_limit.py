"""One value for each limit of a minute, in the order in which limits are given and announced."""

from vcgen.engine.config import Limits
from vcgen.engine.limits.per_limit import UNKNOWN, PerLimit


def test_order_is_that_of_the_limits_given() -> None:
    limits = Limits(rpm=1, tpm=2, input_tpm=3, output_tpm=4)
    assert PerLimit(*limits.rates) == PerLimit(rpm=1, tpm=2, input_tpm=3, output_tpm=4)


def test_unknown_names_no_limit() -> None:
    assert set(UNKNOWN) == {None}
    assert PerLimit(*Limits().rates) == UNKNOWN
