"""How much of a rate to use where it is more than an endpoint allows, or a guess: a search.

Pure arithmetic; time comes in as an argument. Requests are known by their running number, so that
which were sent after a cut, and how many of those before it were refused, is counted and not
guessed. Only a request sent after the last cut may cut again: one cut a flight.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

LEAST_SHARE = 0.01
# The part of a flight that was accepted, less a little, is the share to use next; but few refusals
# say little, and cannot bring it below `FEW / (FEW + refused)`.
FEW, MARGIN, SUSTAINED = 5, 0.02, 0.5
# What tells a window, in which so many may leave a minute, from a bucket that is refilled all the
# time: so many refused in a row, so many flights refused whole, or a wait of so many seconds.
LOST_REQUESTS, LOST_FLIGHTS, LONG_WAIT_S = 10, 2, 5.0
# Growth: by this at first, by twice as much each time, after so many seconds and requests.
FIRST_STEP, LARGEST_STEP = 0.03, 0.32
CALM_S, CALM_REQUESTS = 5.0, 5
# When to grow again after a refusal: once it would have brought more than that has cost, in refused
# requests and in seconds of a closed gate.
PAYS, CLOSED_S, LONGEST_REST_S = 1.5, 1.0, 150.0
# The part of the share that the last minute must have accepted before it grows. Only a whole minute
# proves a rate to a window.
ATTAINED, ATTAINED_IN_A_WINDOW = 0.5, 0.92
# What it takes to find that an endpoint throttles whatever the rate.
THROTTLES, FAR_DOWN = 6, 0.6
DESPITE_ALL = 0.02  # of the requests within limits that an endpoint has announced


@dataclass(slots=True)
class CutWindow:
    """Requests numbered over `before` and up to `last`, the first flight that met a refusal.

    Attributes:
        share: that it left at.
        first_refused: the lowest number of those refused.
        refused: how many were.
    """

    before: int = 0
    last: int = 0
    share: float = 1.0
    first_refused: int = 0
    refused: int = 0

    def refuse(self, number: int) -> None:
        """One of it was refused."""
        self.refused += 1
        self.first_refused = min(self.first_refused, number)

    @property
    def is_lost(self) -> bool:
        """Whether all of it was refused."""
        return self.refused == self.last - self.before

    @property
    def is_cut_off(self) -> bool:
        """Whether from one of them on all were refused, and those are many."""
        return self.refused == self.last - self.first_refused + 1 >= LOST_REQUESTS

    @property
    def accepted(self) -> float:
        """The share that was accepted from the first refusal on, as far as is known."""
        part = self.refused / (self.last - self.first_refused + 1)
        return self.share * max(1 - part - MARGIN, FEW / (FEW + self.refused))


class Descent(NamedTuple):
    """Where some throttles began: the share, how many requests had left, the time."""

    share: float
    left: int
    at: float


@dataclass(slots=True)
class AmbientThrottling:
    """Throttling whatever the rate, as by a shared or overloaded pool.

    To cut for it goes down and down and changes nothing. But if a rate was too high, then as much
    is accepted at a lower one. So if that much less is accepted, and it throttles still, the
    descent is taken back and that much throttling is put up with.

    Attributes:
        part: the part of all requests whose refusal is put up with.
    """

    part: float = 0.0
    _came: float = 0.0
    _throttled: float = 0.0
    _began: Descent | None = None
    _count: int = 0
    # The share that the descent began at, and how many a second were accepted there.
    _top: tuple[float, float] | None = None

    def passed(self) -> None:
        """A request succeeded."""
        self._came += 1
        if self._came > 200:
            self._came /= 2
            self._throttled /= 2

    def explains(self) -> bool:
        """One more was throttled; whether that is no more than is put up with."""
        self._throttled += 1
        self.passed()
        return self.part > 0 and self._throttled <= 2 * self.part * self._came + 3

    def grown(self, share: float) -> None:
        """The share has grown."""
        if self._top is not None and share >= self._top[0]:
            self._top = self._began = None

    def throttled(self, share: float, left: int, now: float) -> float | None:
        """A share not known to be good is cut; the one to go back to if that is in vain."""
        began = self._began
        self._count += 1
        if began is not None and self._count < THROTTLES:
            return None
        self._began, count, self._count = Descent(share, left, now), self._count, 0
        if began is None:
            return None
        accepted = (left - began.left - count) / max(now - began.at, 1.0)
        if self._top is None:
            self._top = began.share, accepted
            return None
        top_share, top_accepted = self._top
        if began.share > FAR_DOWN * top_share or accepted > FAR_DOWN * top_accepted:
            return None
        self.part = self._throttled / self._came
        self._top = self._began = None
        return top_share


@dataclass(slots=True)
class RateController:
    """The share of an endpoint's rate in use: cut when it throttles, grown while it does not.

    A cut goes to the last share that was found good; if that one is throttled, to what was accepted
    of the flight; and where a window has closed, to what the last minute accepted.

    Growth after a refusal begins with one request that leaves a little early. That is enough to be
    refused where no burst is allowed, and there half of all requests are at a rate that is a little
    too high.

    Attributes:
        share: in use.
        most: the largest there is; infinite where the rate that it is a share of is a guess.
        step: by what part of itself it grows next.
        good: the largest share that is known to be accepted, None if none is.
        early: by what part of the time between two requests the next one may leave early.
        is_windowed: the endpoint is one that allows so many a minute however they are spread.
        changed_at: when it was cut or grown last.
        is_tolerated: whether the last refusal was put up with.
    """

    share: float = 1.0
    most: float = 1.0
    step: float = FIRST_STEP
    good: float | None = None
    early: float = 0.0
    is_windowed: bool = False
    changed_at: float = 0.0
    is_tolerated: bool = False
    _changed_number: int = 0
    _flight: CutWindow = field(default_factory=CutWindow)
    # How many flights in a row were single requests that were refused; the share before them.
    _lost: int = 0
    _top: float = 1.0
    # Where the last cut ends, and what refusals have cost since the share grew.
    _floor: float = 0.0
    _wasted: int = 0
    _background: AmbientThrottling = field(default_factory=AmbientThrottling)

    @classmethod
    def of_a_guess(cls, step: float, left: int, now: float) -> "RateController":
        """Of a rate that is a guess, and does not count what has left before."""
        flight = CutWindow(before=left, last=left)
        return cls(
            most=float("inf"), step=step, changed_at=now, _changed_number=left, _flight=flight
        )

    def announced(self) -> None:
        """The endpoint has said what it allows: what it throttles now and then is not for that."""
        self._background.part = max(self._background.part, DESPITE_ALL)

    def throttled(
        self, number: int, left: int, now: float, accepted: float | None, wait_s: float = 0.0
    ) -> None:
        """Request `number` was refused.

        Args:
            number: of the request, the first one's being 1.
            left: how many have left so far.
            now: seconds of any steady clock.
            accepted: the share that the last minute accepted, None if that is not known.
            wait_s: for how long the endpoint asks to send nothing.
        """
        if number <= self._flight.before:
            return
        if number > self._flight.last:
            self.is_tolerated = self._background.explains()
            if self.is_tolerated:
                return
            top = self._cut(number, left, now)
            if top is not None:
                self.share, self.is_windowed = top, False
                return
        self._flight.refuse(number)
        self._wasted += 1
        self.share = max(LEAST_SHARE, self._judge(accepted, wait_s))

    def passed(self, left: int, now: float, accepted: float | None, *, busy: bool) -> bool:
        """A request succeeded; whether the next one may leave earlier for it.

        Args:
            left, now, accepted: as for `throttled`.
            busy: whether it is this rate that keeps requests from leaving.
        """
        self._background.passed()
        calm_s, sent = now - self.changed_at, left - self._changed_number
        if calm_s < CALM_S or sent < CALM_REQUESTS or not busy:
            return False
        self.good = self.share
        attained = ATTAINED_IN_A_WINDOW if self.is_windowed else ATTAINED
        if self.share >= self.most or (accepted is not None and accepted < attained * self.share):
            return False
        if self._wasted and not self.early:
            # At the share in use, a failure costs as much less as it is less than that one was.
            less = 1.0 if self.is_windowed else min(1.0, 2 * self.share / self._flight.share) ** 2
            brought = sent * (self.step - CLOSED_S / calm_s)
            if brought < PAYS * self._wasted * less and calm_s < LONGEST_REST_S:
                return False
            self.early = self.step
        else:
            self._grow()
        self.changed_at, self._changed_number = now, left
        return True

    def _cut(self, number: int, left: int, now: float) -> float | None:
        """Begin to cut for a flight; the share to go back to if the rate is not why."""
        last = self._flight.last
        self._flight = CutWindow(last, left, self.share, first_refused=number)
        self.changed_at, self._changed_number = now, left
        was_early, self.early, self.step = self.early > 0, 0.0, FIRST_STEP
        is_alone = number == left == last + 1
        self._lost = self._lost + 1 if is_alone else 0
        if not is_alone:
            self._top = self.share
        if self.good is not None and (was_early or self.good < self.share):
            self._floor = self.good
            return None
        self.good, self._floor, self._wasted = None, 0.0, 0
        return None if is_alone else self._background.throttled(self.share, left, now)

    def _judge(self, accepted: float | None, wait_s: float) -> float:
        """The share after a refusal of the flight that is being cut."""
        flight = self._flight
        is_closed = wait_s >= LONG_WAIT_S or flight.is_cut_off
        self.is_windowed = self.is_windowed or is_closed or self._lost >= LOST_FLIGHTS
        if not flight.is_lost:
            # The last minute's peak leaves a window with little room for a while.
            least = max(
                self._floor, flight.accepted, min(flight.share, SUSTAINED * (accepted or 0.0))
            )
        elif accepted and self._lost >= LOST_FLIGHTS:
            least = flight.share / 2
        else:
            least = self.share  # nothing at all is accepted: that is not told from the rate
        if not (self.is_windowed and accepted):
            return least
        return max(flight.share / 10 if is_closed else least, min(self._top, accepted))

    def _grow(self) -> None:
        self._wasted, self.early = 0, 0.0
        self.share = min(self.most, self.share * (1 + self.step))
        self.step = max(self.step, min(LARGEST_STEP, 2 * self.step))
        self._background.grown(self.share)
