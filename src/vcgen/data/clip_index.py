"""The clips that records are about: found by id, or by the video where that has one clip."""

from collections.abc import Sequence
from pathlib import Path

from vcgen.data.clips import Clip
from vcgen.data.readers.read import read_clips
from vcgen.data.records import Record


class ClipIndex:
    """Clips of files, all of them in memory.

    Attributes:
        bad: rows of the files that are no clips.
    """

    def __init__(self, paths: Sequence[Path], format_name: str) -> None:
        """Read the files.

        Raises:
            UsageError: one cannot be read, or its format is unknown.
        """
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
        """The clip of a record, None if it is not known."""
        return self._by_id.get(record.clip_id) or self._by_video.get(record.video)
