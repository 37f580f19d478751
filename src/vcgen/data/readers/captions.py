"""Timed captions of many videos in one JSON object: ActivityNet, YouCook2, TimeChat.

The file is parsed whole; clips are made one at a time.
"""

from pathlib import Path
from typing import Any

from vcgen.data.readers.files import BadRow, RawClip, RawSegment, Rows, load_object


def read_activitynet(path: Path) -> Rows:
    """Read `{id: {"duration": s, "timestamps": [[s, e], ...], "sentences": [...]}}`, in seconds.

    The layout of ActivityNet Captions, and of YouCook2 as it is shared for dense captioning.
    """
    return ((key, _from_activitynet(key, video)) for key, video in load_object(path).items())


def read_timechat(path: Path) -> Rows:
    """Read `{"<id>.mp4": [{"timestamp": [s, e], "caption": "..."}]}`: dense captions of a model."""
    return ((key, _from_timechat(key, events)) for key, events in load_object(path).items())


def _from_activitynet(key: str, video: Any) -> RawClip | BadRow:
    match video:
        case {"timestamps": [*times], "sentences": [*sentences], **rest}:
            if len(times) != len(sentences):
                return BadRow(f"{len(times)} timestamps for {len(sentences)} sentences")
        case _:
            return BadRow("needs the lists timestamps and sentences")
    duration = rest.pop("duration", None)
    return _row({"id": key, "duration": duration, "extra": rest}, times, sentences)


def _from_timechat(key: str, events: Any) -> RawClip | BadRow:
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        return BadRow("needs a list of events with timestamp and caption")
    times = [event.get("timestamp") for event in events]
    captions = [event.get("caption") for event in events]
    return _row({"id": key.removesuffix(".mp4"), "video": key}, times, captions)


def _row(clip: RawClip, times: list[Any], texts: list[Any]) -> RawClip | BadRow:
    segments: list[RawSegment] = []
    for index, (span, text) in enumerate(zip(times, texts, strict=True)):
        match span:
            case [start, end]:
                segments.append({"start": start, "end": end, "text": text, "source": "caption"})
            case _:
                return BadRow(f"event {index}: its times must be [start, end]")
    return {**clip, "segments": segments}
