"""Export records for trainers.

from vcgen.datasets.export import export_records

written = export_records(result.records, "llava", "train.json")
"""

from vcgen.datasets.export.export import (
    FORMATS,
    Exported,
    Selection,
    SkipReason,
    Split,
    export_records,
    read_shuffled,
)

__all__ = [
    "FORMATS",
    "Exported",
    "Selection",
    "SkipReason",
    "Split",
    "export_records",
    "read_shuffled",
]
