"""Export records for trainers.

from vcgen.datasets.export import export_records

written = export_records(result.records, "llava", "train.json")
"""

from vcgen.datasets.export.export import Exported, export_records
from vcgen.datasets.export.registry import FORMATS
from vcgen.datasets.export.selection import Selection, SkipReason
from vcgen.datasets.export.splits import Split
from vcgen.pipeline.store.read import read_shuffled

__all__ = [
    "FORMATS",
    "Exported",
    "Selection",
    "SkipReason",
    "Split",
    "export_records",
    "read_shuffled",
]
