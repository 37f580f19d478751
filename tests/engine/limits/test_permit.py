"""Outcomes are apart from each other, and a permit shows what it was charged."""

from itertools import combinations

from tests.support.permits import permit
from vcgen.engine.chat import Usage
from vcgen.engine.limits.per_limit import PerLimit
from vcgen.engine.limits.permit import (
    Abandoned,
    Completed,
    Disabled,
    Failed,
    Refused,
    Stale,
    Starved,
    Stray,
    Throttled,
    Unreachable,
)

OUTCOMES = (
    Completed(Usage()),
    Throttled(None),
    Stray(None),
    Failed(has_replied=False),
    Unreachable(None),
    Stale(),
    Starved(),
    Refused(),
    Disabled("no key"),
    Abandoned(),
)


def test_outcomes_are_known_by_their_class() -> None:
    """A limit matches by class: named tuples of the same values are equal."""
    assert all(not isinstance(one, type(other)) for one, other in combinations(OUTCOMES, 2))


def test_throttle_is_not_certain_by_default() -> None:
    assert not Throttled(7.0).is_exhausted


def test_permit_names_its_request_and_amounts() -> None:
    made = permit(3.0, number=7, amounts=PerLimit(1, 30, 20, 10))
    assert (made.sent_at, made.number, made.amounts.output_tpm) == (3.0, 7, 10)
