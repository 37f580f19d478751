"""Requests in flight at an endpoint: how many are, and how many may be."""

from vcgen.engine.config import Limits
from vcgen.engine.limits.concurrency_search import FIRST, MOST, ConcurrencyController
from vcgen.engine.limits.permit import Completed, Outcome, Permit, Starved

# A hedged copy leaves a tenth of the slots to requests that come back and are followed.
HEDGE_FROM = 0.9
# Slots that a completion gives back after this machine could open no further connection: one more
# in 64 is tried, at the cost of a system call.
REGROWTH = 1 / 64


class Concurrency:
    """The slots of an endpoint: given, or found while neither they nor a rate are known.

    Attributes:
        allowed: requests that may be in flight.
        in_flight: requests sent and not released.
        waiting: requests that only the slots hold back.
    """

    def __init__(self, limits: Limits, most: int) -> None:
        given = limits.in_flight
        self._search = ConcurrencyController(min(most, MOST)) if given is None else None
        self._wanted = given or FIRST
        self._most = self._openable = float(most)  # connections that this machine can open
        self._bound()
        self._starved_since: float | None = None
        self.in_flight = 0
        self.waiting = 0

    @property
    def is_searched(self) -> bool:
        """Whether the number of slots is still searched for."""
        return self._search is not None

    @property
    def may_grow_by(self) -> int:
        """By how much `allowed` may grow while the requests in flight come back."""
        return self.allowed if self.is_searched else 0

    @property
    def has_room(self) -> bool:
        """Whether a slot is free."""
        return self.in_flight < self.allowed

    @property
    def has_spare_room(self) -> bool:
        """Whether a hedged copy may take a slot."""
        return self.in_flight + 1 <= HEDGE_FROM * self.allowed

    def fix(self, allowed: int) -> None:
        """End the search."""
        self._search, self._wanted = None, allowed
        self._bound()

    def starved_s(self, now: float) -> float:
        """Seconds since which this machine could open no connection at all."""
        return 0.0 if self._starved_since is None else now - self._starved_since

    def on_acquire(self, permit: Permit, now: float) -> None:  # noqa: ARG002 - the protocol's
        """Take a slot."""
        self.in_flight += 1

    def on_release(self, permit: Permit, outcome: Outcome, now: float) -> None:
        """Free the slot; learn from the latency of an answer, and from a want of descriptors."""
        if isinstance(outcome, Completed):
            if self._search is not None:
                self._search.succeed(permit.sent_at, now, self.in_flight, self.waiting)
                self.allowed = self._wanted = self._search.limit  # at most `most`
            if self._openable < self._most:
                self._openable = min(self._most, self._openable + REGROWTH)
                self._bound()
            self._starved_since = None
        self.in_flight -= 1
        if isinstance(outcome, Starved):
            # Not at once to those in flight: connections kept from others are open as well.
            self._openable = max(self.in_flight, self.allowed - 1)
            self._bound()
            if not self.in_flight and self._starved_since is None:
                self._starved_since = now

    def _bound(self) -> None:
        self.allowed = max(1, int(min(self._wanted, self._openable)))
