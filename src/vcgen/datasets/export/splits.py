"""Split records into training and held-out sides by their clip, the same way each time. Pure."""

from dataclasses import dataclass
from itertools import accumulate

from vcgen.data.hashing import hash64
from vcgen.errors import UsageError

_NAMES = ("train", "validation", "test")
_HASHES = 2**64
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Split:
    """A split of records; all records of a clip are on the same side, in any run.

    Attributes:
        fractions: of train and validation, or of train, validation and test; 1 for no split.
        seed: changes the assignment of clips.

    Raises:
        UsageError: the fractions are not two or three that sum to 1.
    """

    fractions: tuple[float, ...] = (1.0,)
    seed: int = 0

    def __post_init__(self) -> None:
        shown = "/".join(f"{fraction:g}" for fraction in self.fractions)
        if not 1 <= len(self.fractions) <= len(_NAMES):
            raise UsageError(
                f"split {shown}: give two fractions (train/validation) or three (/test)"
            )
        if not all(0 < fraction <= 1 for fraction in self.fractions):
            raise UsageError(f"split {shown}: each fraction is more than 0 and at most 1")
        if abs(sum(self.fractions) - 1) > _ROUNDING:
            raise UsageError(f"split {shown}: the fractions sum to {sum(self.fractions):g}, not 1")

    @property
    def sides(self) -> tuple[str, ...]:
        """The names of the sides."""
        return _NAMES[: len(self.fractions)]

    def side_of(self, clip_id: str) -> int:
        """Return the number of the side that a clip's records are on."""
        if len(self.fractions) == 1:
            return 0
        drawn = hash64(f"{self.seed}/{clip_id}") / _HASHES
        ends = accumulate(self.fractions[:-1])
        return next((at for at, end in enumerate(ends) if drawn < end), len(self.fractions) - 1)


def parse_fractions(text: str) -> tuple[float, ...]:
    """Parse fractions between slashes, such as 0.98/0.02.

    Raises:
        UsageError: one is not a number.
    """
    try:
        return tuple(float(fraction) for fraction in text.split("/"))
    except ValueError:
        raise UsageError(f"split {text!r}: give fractions such as 0.98/0.02") from None
