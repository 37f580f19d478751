"""When a run will end, from how it has gone so far. Time is an argument.

What is done and what is left is counted in replies: clips end in waves, since each takes several of
them. Clips that were done before take none, and neither do rows that are no clips.
"""

from collections import deque
from statistics import linear_regression
from typing import NamedTuple

from vcgen.pipeline.progress import RunSnapshot

# The pace is that of the last minute or tenth of the run, whichever is longer, and of as many
# replies at least: a few that come together, as those of equal requests do, are no pace.
WINDOW_S, WINDOW_PART = 60.0, 0.1
WINDOW_REPLIES, WINDOW_ROUNDS = 30, 5
LOOKS = 100  # in a window
LEAST_CLIPS = 5  # that a clip's replies are judged by


class _Look(NamedTuple):
    at: float
    replies: int


class EtaEstimate:
    """Says how long a run still takes, once it was shown how the run goes, about once a second."""

    def __init__(self) -> None:
        self._looks: deque[_Look] = deque()
        self._tally, self._clips = RunSnapshot(), 0
        self._now = self._began = self._taken_at = self._waited_s = 0.0

    def look(self, now: float, tally: RunSnapshot) -> None:
        """Take in what a run has come to at `now`, in seconds."""
        replies = tally.counters.completions
        if not replies:
            self._began = now  # passing over what was done before is no pace
        if tally.progress.clips > self._clips:
            self._clips, self._taken_at = tally.progress.clips, now
        self._waited_s += tally.in_flight * (now - (self._now or now))
        self._now, self._tally = now, tally
        window_s = max(WINDOW_S, WINDOW_PART * (now - self._began))
        looks = self._looks
        if not replies or (looks and now - looks[-1].at < window_s / LOOKS):
            return
        looks.append(_Look(now, replies))
        while len(looks) > 2 and self._is_enough(looks[1], window_s):
            looks.popleft()

    def seconds_left(self, rows: int) -> float | None:
        """Seconds to the end of an input of so many rows, None while that is not known."""
        progress = self._tally.progress
        ended, continued = progress.ended, progress.continued
        if ended.clips < LEAST_CLIPS or len(self._looks) < 2:
            return None
        pace, at_zero = linear_regression(*zip(*self._looks, strict=True))
        if pace <= 0:
            return None
        new = progress.clips - continued.clips
        to_come = max(0, rows - progress.clips)
        clips = new - progress.refused + to_come * (1 - progress.refused / new)
        whole = clips * ended.replies / ended.clips + continued.replies
        taking_s = 0.0 if to_come else self._now - self._taken_at
        return max(0.0, (whole - at_zero) / pace - self._now, self._clip_s() - taking_s)

    def _is_enough(self, since: _Look, window_s: float) -> bool:
        last = self._looks[-1]
        replies = max(WINDOW_REPLIES, WINDOW_ROUNDS * self._tally.in_flight)
        return last.at - since.at >= window_s and last.replies - since.replies >= replies

    def _clip_s(self) -> float:
        """How long a clip takes from its first request to its last reply, when none has to wait."""
        ended = self._tally.progress.ended
        return self._waited_s / self._tally.counters.completions * ended.replies / ended.clips
