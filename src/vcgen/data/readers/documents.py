"""Video text as one document a video: VideoChat-Text and VLog. The file's stem is the clip's id."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vcgen.data.readers.files import BOM, BadRow, Rows

# "subtitile" is how the long-video branch of VideoChat-Text spells it.
_HEADING = re.compile(
    r"^[ \t]*(?:Video (tags) are|The (second|dense|general|subtit\w+)"
    r"(?: description| caption)? of the video (?:is|are))[ \t]*:",
    re.MULTILINE,
)
_SPEECH = re.compile(r"^[ \t]*(\d{1,6})[ \t]*-[ \t]*(\d{1,6})[ \t]*second:(.*)$", re.MULTILINE)
_SECOND = re.compile(r"\bSecond (\d{1,6}) ?:")
_PIXEL_BOX = re.compile(r":[ \t]*\[[\d., \t-]*\]")
_FEWEST_FRAMES = 8

_WHEN = re.compile(r"^When (.*?) - (.*)$", re.MULTILINE)
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2}(?:\.\d{1,6})?)")
_PERCEIVED = re.compile(r"^I (saw|found|heard someone say) ", re.MULTILINE)
_VLOG_SOURCE = {"saw": "caption", "found": "dense", "heard someone say": "speech"}


def read_videochat_text(path: Path) -> Rows:
    r"""What VideoChat-Text tells a language model of a video, by its headings.

    `Video tags are: a | b`
    `The second description of the video is: Second 1:cap.\n Second 2:cap.`
    `The dense caption of the video is: Second 1 : a,b,c.\n Second 6 : a,b.`
    `The general description of the video is: ...`
    and lines of speech, `0-4second: text`, wherever they stand.

    Second i is the time from i - 1 to i, but not always: the tool takes one frame a second and
    never fewer than eight, so in a clip under eight seconds the numbers count frames. Exactly eight
    frame captions can be either, and the document does not say which. Their times are then dropped
    rather than guessed (`untimed_frames` counts them): the captions go to the summary, in their
    order, and the dense captions to the tags. Speech keeps its times, they come from the sound.
    """
    return _document(path, _videochat_text)


def read_vlog(path: Path) -> Rows:
    """A VLog log: blocks of `When 0:00:00 - 0:00:15`, `I saw`, `I found`, `I heard someone say`.

    What stands in a block whose times cannot be read is left out and counted as `no_time`.
    """
    return _document(path, _vlog)


def _document(path: Path, parse: Callable[[str], dict[str, Any]]) -> Rows:
    try:
        text = path.read_bytes().removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        yield 1, BadRow(f"not valid UTF-8 at byte {error.start}")
    else:
        yield 1, {"id": path.stem, **parse(text.replace("\r\n", "\n"))}


def _pairs(parts: list[str]) -> Iterator[tuple[str, str]]:
    # What `split` with one group gives: what stands before, then heading and body in turn.
    return zip(parts[1::2], parts[2::2], strict=True)


def _videochat_text(text: str) -> dict[str, Any]:
    spoken: list[dict[str, Any]] = []

    def set_aside(line: re.Match[str]) -> str:
        spoken.append(_segment(int(line[1]), int(line[2]), line[3], "speech"))
        return ""

    # A heading may share its line with the first words spoken.
    text = _HEADING.sub(lambda heading: f"{heading[0]}\n", text)
    parts = _HEADING.split(_SPEECH.sub(set_aside, text))
    bodies = {
        tags or kind: body
        for tags, kind, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    }
    tags = bodies.get("tags", "").split("|")
    summary = bodies.get("general", "")
    frames = _seconds(bodies.get("second", ""))
    dense = [(second, _names(body)) for second, body in _seconds(bodies.get("dense", ""))]
    if [second for second, _ in frames] == list(range(1, _FEWEST_FRAMES + 1)):
        in_order = " ".join(caption.strip() for _, caption in frames)
        return {
            "tags": tags + [name for _, names in dense for name in names],
            "summary": f"{summary.strip()} In order: {in_order}".strip(),
            "segments": spoken,
            "cleaned": {"untimed_frames": len(frames)},
        }
    seen = [_segment(second - 1, second, caption, "caption") for second, caption in frames]
    found = [_segment(second - 1, second, ", ".join(names), "dense") for second, names in dense]
    return {"tags": tags, "summary": summary, "segments": seen + found + spoken}


def _segment(start: float, end: float, text: str, source: str) -> dict[str, Any]:
    return {"start": start, "end": end, "text": text, "source": source}


def _seconds(body: str) -> list[tuple[int, str]]:
    return [(int(second), text) for second, text in _pairs(_SECOND.split(body))]


def _names(body: str) -> list[str]:
    # The variant with boxes gives pixels of a frame whose size nobody states.
    listed = re.split(r"[,;]", _PIXEL_BOX.sub("", body).strip().rstrip(".; "))
    return [name.strip() for name in listed if name.strip()]


def _vlog(text: str) -> dict[str, Any]:
    parts = _WHEN.split(text)
    segments: list[dict[str, Any]] = []
    unread = 0
    for start, end, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        times = _clock(start), _clock(end)
        for verb, words in _pairs(_PERCEIVED.split(body)):
            if times[0] is None or times[1] is None:
                unread += 1
            else:
                plain = words.strip().strip('"')
                segments.append(_segment(times[0], times[1], plain, _VLOG_SOURCE[verb]))
    return {"segments": segments, "cleaned": {"no_time": unread}}


def _clock(text: str) -> float | None:
    clock = _CLOCK.fullmatch(text.strip())
    if clock is None:
        return None
    hours, minutes, seconds = clock.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
