"""Video text in every layout that vcgen reads, made here, and short ways to read it."""

from pathlib import Path

from vcgen.data.clips import Clip
from vcgen.data.readers.read import read_clips, read_rows, to_clip
from vcgen.data.records import Reject

CLIP_LINES = b"""{"id": "kite-1", "caption": "A child flies a red kite."}

{"id": "kite-2", "duration": 8, "segments": [{"start": 1, "end": 3, "text": "the kite falls"}]}
"""
WEBVID = (
    b"videoid,name,page_idx,page_dir,duration,contentUrl\r\n"
    b'7001,"Two cooks, one pan",4,000004_000005,PT00H01M05S,https://example.org/7001.mp4\r\n'
    b'7002,"He says ""hot""\r\nand laughs",5,000004_000005,PT00H00M09S,\r\n'
)
ACTIVITYNET = (
    b'{"v_barn": {"duration": 30.5, "timestamps": [[12, 30], [0, 11.5]],'
    b' "sentences": [" She milks the goat.", "A girl opens the barn."], "split": "val"}}'
)
TIMECHAT = (
    b'{"barn_2.mp4": [{"timestamp": [3.0, 9.5], "caption": "a goat eats hay."},'
    b' {"timestamp": [14.0, 12.0], "caption": "it lies down."}]}'
)
VIDEOCHAT_TEXT = b"""Video tags are: goat | barn | hay

The second description of the video is: Second 1:a barn door.
 Second 2:a goat in a barn.

The dense caption of the video is: Second 1 : brown goat,wooden door.
 Second 6 : pile of hay: [10, 20, 300, 400]; bucket: [1, 2, 3, 4]; .

The general description of the video is: A goat eats in a barn.
0-4second: come here
4-6second: good girl
"""
VLOG = b"""When 0:00:00 - 0:00:12
I saw a barn door opening.
I found a brown goat, a bucket.
I heard someone say "komm her "


When 0:01:05 - 1:00:00.5
I saw a goat asleep.
"""
EXAMPLES = {
    "clips": CLIP_LINES,
    "webvid": WEBVID,
    "activitynet": ACTIVITYNET,
    "timechat": TIMECHAT,
    "videochat-text": VIDEOCHAT_TEXT,
    "vlog": VLOG,
}


def save(folder: Path, content: bytes | str, name: str = "barn.dat") -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def only_clips(path: Path, **options: str | Path) -> list[Clip]:
    """Read a file whose rows are all valid."""
    outcomes = list(read_clips(path, **options))  # type: ignore[arg-type]  # options by name
    assert not [outcome for outcome in outcomes if isinstance(outcome, Reject)]
    return [outcome for outcome in outcomes if isinstance(outcome, Clip)]


def read_with_places(path: Path, **options: str) -> list[tuple[str, Clip | Reject]]:
    """Read a file with the place of each row."""
    return [(place, to_clip(place, row)) for place, row in read_rows(path, **options)]


def spans(clip: Clip, source: str) -> list[tuple[float, float, str]]:
    """Start, end and text of the segments of one source."""
    return [(one.start, one.end, one.text) for one in clip.segments if one.source == source]
