"""Read VideoChat-Text and VLog: one document per video, the file's stem is the clip's id."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from vcgen.data.readers.files import BOM, BadRow, RawClip, RawSegment, Rows

# "subtitile" is how the long-video branch of VideoChat-Text spells it.
_HEADING = re.compile(
    r"^[ \t]*(?:Video (tags) are|The (second|dense|general|subtit\w+)"
    r"(?: description| caption)? of the video (?:is|are))[ \t]*:",
    re.MULTILINE,
)
_SPEECH = re.compile(r"^[ \t]*(\d{1,6})[ \t]*-[ \t]*(\d{1,6})[ \t]*second:(.*)$", re.MULTILINE)
_SECOND = re.compile(r"\bSecond (\d{1,6}) ?:")
_SEPARATOR = re.compile(r"[,;]")
_PIXEL_BOX = re.compile(r":[ \t]*\[[\d., \t-]*\]")
_MIN_FRAMES = 8  # VideoChat-Text samples at least these

_WHEN = re.compile(r"^When (.*?) - (.*)$", re.MULTILINE)
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2}(?:\.\d{1,6})?)")
_PERCEIVED = re.compile(r"^I (saw|found|heard someone say) ", re.MULTILINE)
_VLOG_SOURCE = {"saw": "caption", "found": "dense", "heard someone say": "speech"}


def read_videochat_text(path: Path) -> Rows:
    r"""Read the text that VideoChat-Text gives to a language model, by its headings.

    `Video tags are: a | b`
    `The second description of the video is: Second 1:cap.\n Second 2:cap.`
    `The dense caption of the video is: Second 1 : a,b,c.\n Second 6 : a,b.`
    `The general description of the video is: ...`
    and lines of speech, `0-4second: text`, anywhere.

    Second i is the time from i - 1 to i, with one exception: the tool takes one frame per second
    but at least eight, so in a clip under eight seconds the numbers count frames. Exactly eight
    frame captions are ambiguous. Their times are then dropped rather than guessed
    (`untimed_frames` counts them): the captions go to the summary, in their order, and the dense
    captions to the tags. Speech keeps its times, which come from the sound.
    """
    return _document(path, _videochat_text)


def read_vlog(path: Path) -> Rows:
    """Read a VLog log: blocks of `When 0:00:00 - 0:00:15`, `I saw`, `I found`, `I heard ...`.

    A block without readable times is left out; its items count as `no_time`.
    """
    return _document(path, _vlog)


def _document(path: Path, parse: Callable[[str, str], RawClip]) -> Rows:
    try:
        text = path.read_bytes().removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        yield 1, BadRow(f"not valid UTF-8 at byte {error.start}")
    else:
        yield 1, parse(path.stem, text.replace("\r\n", "\n"))


def _pairs(parts: list[str]) -> Iterator[tuple[str, str]]:
    # `split` with one group returns the text before, then headings and bodies in turn.
    return zip(parts[1::2], parts[2::2], strict=True)


def _videochat_text(stem: str, text: str) -> RawClip:
    spoken: list[RawSegment] = []

    def collect_speech(line: re.Match[str]) -> str:
        spoken.append(_segment(int(line[1]), int(line[2]), line[3], "speech"))
        return ""

    # The first line of speech may follow its heading on the same line.
    text = _HEADING.sub(lambda heading: f"{heading[0]}\n", text)
    parts = _HEADING.split(_SPEECH.sub(collect_speech, text))
    bodies = {
        tags or kind: body
        for tags, kind, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    }
    tags = bodies.get("tags", "").split("|")
    summary = bodies.get("general", "")
    frames = _seconds(bodies.get("second", ""))
    dense = [(second, _names(body)) for second, body in _seconds(bodies.get("dense", ""))]
    if [second for second, _ in frames] == list(range(1, _MIN_FRAMES + 1)):
        in_order = " ".join(caption.strip() for _, caption in frames)
        return {
            "id": stem,
            "tags": tags + [name for _, names in dense for name in names],
            "summary": f"{summary.strip()} In order: {in_order}".strip(),
            "segments": spoken,
            "cleaned": {"untimed_frames": len(frames)},
        }
    captions = [_segment(second - 1, second, caption, "caption") for second, caption in frames]
    regions = [_segment(second - 1, second, ", ".join(names), "dense") for second, names in dense]
    segments = captions + regions + spoken
    return {"id": stem, "tags": tags, "summary": summary, "segments": segments}


def _segment(start: float, end: float, text: str, source: str) -> RawSegment:
    return {"start": start, "end": end, "text": text, "source": source}


def _seconds(body: str) -> list[tuple[int, str]]:
    return [(int(second), text) for second, text in _pairs(_SECOND.split(body))]


def _names(body: str) -> list[str]:
    # The variant with boxes gives pixels, but not the size of the frame.
    listed = _SEPARATOR.split(_PIXEL_BOX.sub("", body).strip().rstrip(".; "))
    return [name.strip() for name in listed if name.strip()]


def _vlog(stem: str, text: str) -> RawClip:
    parts = _WHEN.split(text)
    segments: list[RawSegment] = []
    unread = 0
    for start, end, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        times = _clock(start), _clock(end)
        for verb, words in _pairs(_PERCEIVED.split(body)):
            if times[0] is None or times[1] is None:
                unread += 1
            else:
                plain = words.strip().strip('"')
                segments.append(_segment(times[0], times[1], plain, _VLOG_SOURCE[verb]))
    return {"id": stem, "segments": segments, "cleaned": {"no_time": unread}}


def _clock(text: str) -> float | None:
    clock = _CLOCK.fullmatch(text.strip())
    if clock is None:
        return None
    hours, minutes, seconds = clock.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
