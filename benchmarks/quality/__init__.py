"""The checks measured: faults of known kinds planted into good replies, and how many are found."""

from benchmarks.quality.measure import clips_of, made_up_clips, saved, table, tally
from benchmarks.quality.planting import MENDED, RATES, Planted, plant, write_sloppily

__all__ = [
    "MENDED",
    "RATES",
    "Planted",
    "clips_of",
    "made_up_clips",
    "plant",
    "saved",
    "table",
    "tally",
    "write_sloppily",
]
