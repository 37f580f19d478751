"""Search for the rate that an endpoint allows, where it is unknown or lower than the one given.

Additive-increase, multiplicative-decrease in spirit (Chiu and Jain, 1989), with three changes: a
cut goes to the share that was accepted, which is counted; growth waits until it pays; and a rate
is lowered on trial before a few refusals are taken for a limit. Requests are known by their running
numbers, so only one sent after the last cut can cut again: one cut a flight.

| state    | fraction in use          | a refusal                  | left for                     |
|----------|--------------------------|----------------------------|------------------------------|
| full     | `most`                   | a stray, or a cut if many  | cut; trial after `MANY`      |
| trial    | a little lower           | is counted                 | proven without any; or back  |
| cut      | what was accepted        | cuts further               | proven after `CALM_S`        |
| proven   | accepted for `CALM_S`    | a trial, or a cut if many  | early                        |
| early    | one request leaves early | proven                     | grown after `CALM_S`         |
| grown    | above the proven one     | proven                     | proven after `CALM_S`        |
| windowed | accepted a minute ago    | as the last minute accepts | early                        |

Pure: time is an argument, in seconds of any steady clock.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from vcgen.engine.limits.refusals import StrayFilter

# One request a minute at 100 rpm, the lowest limit that is sold.
LEAST_FRACTION = 0.01
# A cut leaves this much below the accepted share, for jitter. `n` refusals of a flight lost whole
# prove little: they cannot bring the fraction below `FEW / (FEW + n)`.
MARGIN, FEW = 0.02, 5
# Evidence that the server counts in windows of a minute rather than by a bucket: consecutive
# refusals, whole flights refused, or a long Retry-After. Buckets of the storms benchmark show none.
LOST_REQUESTS, LOST_FLIGHTS, LONG_WAIT_S = 10, 2, 5.0
# A bucket can hide a rate too high by its burst; half of the last minute's rate cannot be too high.
SUSTAINED = 0.5
# Growth: by 3 %, doubled each time up to 32 %, so that a tenth of a rate is made good in a minute.
FIRST_STEP, LARGEST_STEP = 0.03, 0.32
CALM_S, CALM_REQUESTS = 5.0, 5
# Growth after refusals waits until it would have brought this many times their cost (requests,
# and a second of a closed limiter), but not longer than `LONGEST_REST_S`.
PAYS, CLOSED_S, LONGEST_REST_S = 1.5, 1.0, 150.0
# The fraction must have been used before it grows; a window proves itself by a whole minute only.
ATTAINED, ATTAINED_IN_A_WINDOW = 0.5, 0.92
# Strays that start a trial at the full rate; below it a limit is known, and one is enough.
MANY = 6
# A trial ends after this many times the requests in which one refusal is due; `FAILED` refused
# before that show that the rate is not the reason (probability 0.01 if it were, Poisson).
TRIAL, LEAST_TRIAL, FAILED = 8, 20, 3
# Refusals are strays if at least half as frequent at a rate a tenth lower, or much lower where they
# are not rare: a limit that refuses a share s at a rate refuses (s - 0.1) / 0.9 at nine tenths.
SAME, RARE, LOWER, FAR_LOWER = 0.5, 0.1, 0.9, 0.6


class Refusal(NamedTuple):
    """A request refused for its rate.

    Attributes:
        number: of the request among all sent, from 1.
        wait_s: the server's Retry-After, 0 without one.
        is_exhausted: the server announces that nothing remains of a limit.
    """

    number: int
    wait_s: float = 0.0
    is_exhausted: bool = False


@dataclass(slots=True)
class CutWindow:
    """Requests numbered above `before` and up to `last`: the flight that met a refusal.

    Attributes:
        fraction: in use when it was sent.
        first_refused: the lowest number refused.
        refused: how many were.
    """

    before: int = 0
    last: int = 0
    fraction: float = 1.0
    first_refused: int = 0
    refused: int = 0

    @property
    def accepted(self) -> float:
        """The fraction that was accepted from the first refusal on."""
        share = self.refused / (self.last - self.first_refused + 1)
        return self.fraction * max(1 - share - MARGIN, FEW / (FEW + self.refused))

    @property
    def is_lost(self) -> bool:
        """Whether all of it was refused."""
        return self.refused == self.last - self.before

    @property
    def is_cut_off(self) -> bool:
        """Whether all were refused from one request on, and they are many."""
        return self.refused == self.last - self.first_refused + 1 >= LOST_REQUESTS


@dataclass(slots=True)
class Trial:
    """A lower rate in use to see whether refusals end: requests `first` to `last` decide."""

    top: float
    share: float
    least: float
    first: int
    last: int
    refused: int = 0


@dataclass(slots=True)
class RateController:
    """The fraction of a rate to use: lower while the endpoint throttles, higher while it does not.

    Attributes:
        fraction: in use.
        most: the largest; infinite where the rate itself is a guess.
        good: the largest fraction known to be accepted, None before one is.
        step: by what part of itself the fraction grows next.
        early: part of an interval by which the next request may leave early. One request is enough
            to learn of a server that allows no burst, which refuses half of all at a rate 2 % too
            high.
        is_windowed: the server counts in windows of a minute.
        changed_at: time of the last change.
    """

    fraction: float = 1.0
    most: float = 1.0
    good: float | None = None
    step: float = FIRST_STEP
    early: float = 0.0
    is_windowed: bool = False
    changed_at: float = 0.0
    strays: StrayFilter = field(default_factory=StrayFilter)
    _changed_number: int = 0
    _cut: CutWindow = field(default_factory=CutWindow)
    _trial: Trial | None = None
    _lost_flights: int = 0
    _top: float = 1.0  # the fraction before flights were lost whole
    _floor: float = 0.0
    _wasted: int = 0  # refused since the fraction grew
    _refused: int = 0  # since the last change

    @classmethod
    def of_a_guess(
        cls, step: float, strays: StrayFilter, sent: int, now: float
    ) -> "RateController":
        """Search around a guessed rate; earlier requests do not count."""
        cut = CutWindow(before=sent, last=sent)
        return cls(
            most=float("inf"),
            step=step,
            strays=strays,
            changed_at=now,
            _changed_number=sent,
            _cut=cut,
        )

    def refuse(self, refusal: Refusal, sent: int, now: float, accepted: float | None) -> bool:
        """Learn of a refusal.

        Args:
            sent: how many requests have been sent.
            accepted: fraction accepted over the last minute, None if unknown.

        Returns:
            Whether it was a stray, which is no evidence of the rate.
        """
        number = refusal.number
        if number <= self._cut.before:
            return False
        if number > self._cut.last:
            if self._is_stray(number) and not refusal.is_exhausted:
                self._try_lower(number, sent, now)
                return True
            self._begin_cut(number, sent, now)
        self._cut.refused += 1
        self._cut.first_refused = min(self._cut.first_refused, number)
        self._wasted += 1
        self.fraction = max(LEAST_FRACTION, self._lowered(accepted, refusal.wait_s))
        return False

    def succeed(
        self, number: int, sent: int, now: float, accepted: float | None, *, is_busy: bool
    ) -> bool:
        """Learn of a success; True if the pace has changed.

        Args:
            number: of the request, from 1.
            sent, now, accepted: as for `refuse`.
            is_busy: this rate is the bottleneck.
        """
        if self._trial is not None:
            return number > self._trial.last and self._prove(sent, now)
        calm_s, calm = now - self.changed_at, sent - self._changed_number
        if calm_s < CALM_S or calm < CALM_REQUESTS or not is_busy:
            return False
        self.good = self.fraction
        attained = ATTAINED_IN_A_WINDOW if self.is_windowed else ATTAINED
        if self.fraction >= self.most or (
            accepted is not None and accepted < attained * self.fraction
        ):
            return False
        if self._wasted and not self.early:
            if not self._pays(calm_s, calm):
                return False
            self.early = self.step
        else:
            self._grow()
        self._change(sent, now)
        return True

    @property
    def is_proven(self) -> bool:
        """Whether the fraction in use was accepted before, or never refused."""
        if self._cut.last == 0 and self.fraction == self.most:
            return True
        return self.good == self.fraction and not self.early and not self.is_windowed

    def _is_stray(self, number: int) -> bool:
        self._refused += 1
        if self._trial is not None or self.is_proven:
            return self.strays.is_stray(number)
        return self.strays.explains(self._refused, number - self._changed_number)

    def _try_lower(self, number: int, sent: int, now: float) -> None:
        """Lower the rate on trial, or end one that shows no difference."""
        trial = self._trial
        if trial is not None:
            trial.refused += number >= trial.first
            if trial.refused >= FAILED:
                self._judge(trial, trial.refused / (number - trial.first + 1), sent, now)
            return
        known = FAILED if self.strays.accounted else 1
        enough = MANY if self.fraction == self.most else known
        sent_since = max(LEAST_TRIAL, number - self._changed_number)
        if not self.is_proven or self._refused < enough:
            return
        if self.strays.explains(self._refused, sent_since):
            if self._refused > 2 * MANY:
                self._refused, self._changed_number = 0, number
            return
        self._wasted += self._refused
        self._begin_trial(self.fraction, self._refused / sent_since, sent, now)

    def _begin_trial(self, top: float, share: float, sent: int, now: float) -> None:
        """Use a fraction at which a limit would refuse nothing."""
        # A trial that ends at its third refusal overrates their share: the lowest seen decides
        # how long a trial without one has to be.
        least = share if self._trial is None else min(share, self._trial.least)
        last = sent + max(LEAST_TRIAL, int(TRIAL / least))
        self._trial = Trial(top, share, least, sent + 1, last)
        self.fraction = max(LEAST_FRACTION, self.fraction * max(SUSTAINED, 1 - share - MARGIN))
        self._change(sent, now)

    def _judge(self, trial: Trial, share: float, sent: int, now: float) -> None:
        """Refusals in a trial: distinguish strays from a limit that is lower still."""
        is_rare = max(trial.share, share) <= RARE
        is_lower = self.fraction <= (LOWER if is_rare else FAR_LOWER) * trial.top
        if share >= SAME * trial.share and is_lower:
            self.strays.accounted = max(self.strays.accounted, trial.share)
            self.fraction, self._trial, self.good = trial.top, None, trial.top
            self._change(sent, now)
        else:
            self._wasted += trial.refused
            self._begin_trial(trial.top, share, sent, now)

    def _prove(self, sent: int, now: float) -> bool:
        """The trial met no refusals: the rate was too high."""
        self.strays.forget()
        self.good, self._trial, self.step = self.fraction, None, FIRST_STEP
        self._change(sent, now)
        return True

    def _begin_cut(self, number: int, sent: int, now: float) -> None:
        is_alone, was_proven = number == sent == self._cut.last + 1, self.is_proven
        if self._trial is not None:
            self.fraction, self._trial = self._trial.top, None
        self._cut = CutWindow(self._cut.last, sent, self.fraction, first_refused=number)
        if was_proven:
            self._cut.first_refused = self.strays.first
            self._cut.refused = self.strays.suspected - 1
        was_early, self.early, self.step = self.early > 0, 0.0, FIRST_STEP
        self._lost_flights = self._lost_flights + 1 if is_alone else 0
        if not is_alone:
            self._top = self.fraction
        if self.good is not None and (was_early or self.good < self.fraction):
            self._floor = self.good
        else:
            self.good, self._floor, self._wasted = None, 0.0, 0
        self._change(sent, now)

    def _lowered(self, accepted: float | None, wait_s: float) -> float:
        """The fraction after one more refusal of the flight that is being cut."""
        cut = self._cut
        is_closed = wait_s >= LONG_WAIT_S or cut.is_cut_off
        self.is_windowed |= is_closed or self._lost_flights >= LOST_FLIGHTS
        if not cut.is_lost:
            sustained = min(cut.fraction, SUSTAINED * (accepted or 0.0))
            lowered = max(self._floor, cut.accepted, sustained)
        elif accepted and self._lost_flights >= LOST_FLIGHTS:
            lowered = cut.fraction / 2
        else:
            lowered = self.fraction  # the server accepts nothing: no evidence of the rate
        if not (self.is_windowed and accepted):
            return lowered
        return max(cut.fraction / 10 if is_closed else lowered, min(self._top, accepted))

    def _pays(self, calm_s: float, calm: int) -> bool:
        """Whether growth would have brought more than its last refusals cost."""
        # A refusal costs less at a lower rate.
        ratio = 1.0 if self.is_windowed else min(1.0, 2 * self.fraction / self._cut.fraction) ** 2
        brought = calm * (self.step - CLOSED_S / calm_s)
        return brought >= PAYS * self._wasted * ratio or calm_s >= LONGEST_REST_S

    def _grow(self) -> None:
        self._wasted, self.early = 0, 0.0
        self.fraction = min(self.most, self.fraction * (1 + self.step))
        self.step = max(self.step, min(LARGEST_STEP, 2 * self.step))

    def _change(self, sent: int, now: float) -> None:
        self.changed_at, self._changed_number, self._refused = now, sent, 0
