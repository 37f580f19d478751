"""Find the clip of a record: by its id, or by its video if that has only one clip."""

from collections.abc import Sequence
from pathlib import Path

from vcgen.data.clips import Clip
from vcgen.data.readers.read import read_clips
from vcgen.data.records import Record


class ClipIndex:
    """The clips of some files, all in memory.

    Attributes:
        bad: number of rows that are not valid clips.
    """

    def __init__(self, paths: Sequence[Path], format_name: str) -> None:
        """Read the files; raise UsageError if a file cannot be read, or its format is unknown."""
        self._by_id: dict[str, Clip] = {}
        self._by_video: dict[str, Clip | None] = {}
        self.bad = 0
        for path in paths:
            for clip in read_clips(path, format=format_name):
                if isinstance(clip, Clip):
                    self._by_id[clip.id] = clip
                    other = self._by_video.get(clip.video, clip)
                    is_same = other is not None and other.id == clip.id
                    self._by_video[clip.video] = clip if is_same else None
                else:
                    self.bad += 1

    def __len__(self) -> int:
        return len(self._by_id)

    def find(self, record: Record) -> Clip | None:
        """Return the clip of a record, None if the files do not have it."""
        return self._by_id.get(record.clip_id) or self._by_video.get(record.video)
