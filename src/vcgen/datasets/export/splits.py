"""Records for training and records held back: by the clip, and always the same ones. Pure."""

from dataclasses import dataclass
from itertools import accumulate

from vcgen.data.hashing import hash64
from vcgen.errors import UsageError

_NAMES = ("train", "validation", "test")
_HASHES = 2**64
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Split:
    """How records are shared out; all of a clip are on one side, whatever else a run has.

    Attributes:
        shares: of train and validation, or of train, validation and test; 1 for no split.
        seed: another one, another split.

    Raises:
        UsageError: the shares are not two or three that sum to 1.
    """

    shares: tuple[float, ...] = (1.0,)
    seed: int = 0

    def __post_init__(self) -> None:
        shown = "/".join(f"{share:g}" for share in self.shares)
        if not 1 <= len(self.shares) <= len(_NAMES):
            raise UsageError(f"split {shown}: give two shares (train/validation) or three (/test)")
        if not all(0 < share <= 1 for share in self.shares):
            raise UsageError(f"split {shown}: each share is more than 0 and at most 1")
        if abs(sum(self.shares) - 1) > _ROUNDING:
            raise UsageError(f"split {shown}: the shares sum to {sum(self.shares):g}, not to 1")

    @property
    def sides(self) -> tuple[str, ...]:
        """The names of the shares."""
        return _NAMES[: len(self.shares)]

    def side_of(self, clip_id: str) -> int:
        """The number of the share that a clip's records are in."""
        if len(self.shares) == 1:
            return 0
        drawn = hash64(f"{self.seed}/{clip_id}") / _HASHES
        ends = accumulate(self.shares[:-1])
        return next((at for at, end in enumerate(ends) if drawn < end), len(self.shares) - 1)


def parse_shares(text: str) -> tuple[float, ...]:
    """Shares between slashes, such as 0.98/0.02; raises UsageError if they are no numbers."""
    try:
        return tuple(float(share) for share in text.split("/"))
    except ValueError:
        raise UsageError(f"split {text!r}: give shares such as 0.98/0.02") from None
