"""Transcripts of speech: SubRip, WebVTT and Whisper's JSON, found by the stem of their file.

A transcript never costs a clip: what can be read of it is read, and what cannot is counted in the
clip's `cleaned`, whole files as `unreadable_speech`, cues without a readable start as `no_time`,
cues without a readable end, which become instants, as `no_end`.
"""

import html
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise, takewhile
from math import inf
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import charset_normalizer
import pysubs2

from vcgen.data.readers.files import Rows
from vcgen.errors import UsageError

# Where a video has several, the earlier kind: a .json may also be a page's metadata.
_KINDS = (".vtt", ".srt", ".json")
_STAMP = re.compile(r"(?:(\d{1,2}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})(?!\S)")
_INLINE_STAMP = re.compile(r"<[\d:.,]+>")
# Rolling captions follow each other at once, but for rounding.
_ROLLING_GAP_SECONDS = 0.1
_LATEST_SECOND = 1e9
_LINE_BREAK = r"\N"  # of pysubs2

Segments = list[dict[str, Any]]


class _Cue(NamedTuple):
    start: float
    end: float
    lines: list[str]


def with_speech(rows: Rows, directory: Path) -> Rows:
    """The rows with the transcripts of a directory added; raises UsageError if there are none."""
    transcripts = _find_transcripts(directory)
    return ((at, _add_speech(row, transcripts)) for at, row in rows)


def _find_transcripts(directory: Path) -> dict[str, Path]:
    try:
        files = sorted(file for file in directory.iterdir() if file.suffix.lower() in _KINDS)
    except OSError as error:
        raise UsageError(f"speech: {directory} cannot be listed: {error.strerror}") from error
    if not files:
        raise UsageError(f"speech: {directory} holds no {', '.join(_KINDS)} file")
    files.sort(key=lambda file: _KINDS.index(file.suffix.lower()), reverse=True)
    return {file.stem: file for file in files}


def _add_speech(row: Any, transcripts: Mapping[str, Path]) -> Any:
    if not isinstance(row, dict):
        return row
    segments, cleaned = row.get("segments") or [], row.get("cleaned") or {}
    transcript = transcripts.get(str(row.get("id", "")).strip())
    if transcript is None:
        transcript = transcripts.get(PurePosixPath(str(row.get("video", ""))).stem)
    if transcript is None or not isinstance(segments, list) or not isinstance(cleaned, dict):
        return row
    spoken, counts = read_transcript(transcript)
    return {**row, "segments": [*segments, *spoken], "cleaned": {**cleaned, **counts}}


def read_transcript(path: Path) -> tuple[Segments, Counter[str]]:
    """Raw speech segments of one file, times in seconds, and what could not be read, by name."""
    counts: Counter[str] = Counter()
    text = _decode(path)
    cues = _whisper(text, counts) if path.suffix.lower() == ".json" else _subtitles(text, counts)
    segments = _without_rolling(cues)
    if not segments:
        counts["unreadable_speech"] += 1
    return segments, counts


def _decode(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError:
        return ""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        guess = charset_normalizer.from_bytes(content).best()
        return "" if guess is None else str(guess)


def _whisper(text: str, counts: Counter[str]) -> list[_Cue]:
    try:
        document = json.loads(text)  # not orjson: Whisper writes NaN
    except (ValueError, RecursionError):
        return []
    segments = document.get("segments") if isinstance(document, dict) else None
    cues = []
    for segment in segments if isinstance(segments, list) else []:
        match segment:
            case {
                "start": int() | float() as start,
                "end": int() | float() as end,
                "text": str(text),
            }:
                # NaN is neither within the limit nor past it.
                if abs(start) < _LATEST_SECOND and abs(end) < _LATEST_SECOND:
                    cues.append(_Cue(start, end, [text]))
                    continue
        counts["no_time"] += 1
    return cues


def _subtitles(text: str, counts: Counter[str]) -> list[_Cue]:
    blocks = "\n".join(_well_formed(text, counts))
    with warnings.catch_warnings():
        # It warns of words that look like a time; they are words by now.
        warnings.simplefilter("ignore")
        events = pysubs2.SSAFile.from_string(blocks, format_="srt")
    return [
        _Cue(event.start / 1000, event.end / 1000, html.unescape(event.plaintext).split("\n"))
        for event in events
    ]


def _well_formed(text: str, counts: Counter[str]) -> Iterator[str]:
    """Each readable cue as a SubRip block with its words on one line.

    pysubs2 takes for words whatever stands between two readable times (comments, names of cues,
    cues with broken times), for times a line of words with two stamps in it, and for the number of
    the next cue a number that ends the words.
    """
    lines = _INLINE_STAMP.sub("", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    timings = [at for at, line in enumerate(lines) if "-->" in line]
    words_of = _webvtt_words if text.startswith("WEBVTT") else _subrip_words
    for at, following in pairwise([*timings, len(lines)]):
        times = _times(lines[at], counts)
        if times:
            words = words_of(lines[at + 1 : following], more=following < len(lines))
            yield f"{times}\n{_LINE_BREAK.join(words)}\n"


def _times(line: str, counts: Counter[str]) -> str:
    first, _, second = line.partition("-->")
    start, end = _STAMP.match(first.strip()), _STAMP.match(second.strip())
    if start is None:
        counts["no_time"] += 1
        return ""
    if end is None:
        counts["no_end"] += 1
        end = start
    return f"{_stamp(start)} --> {_stamp(end)}"


def _stamp(stamp: re.Match[str]) -> str:
    hours, minutes, seconds, fraction = stamp.groups()
    return f"{hours or 0}:{minutes}:{seconds},{fraction}"


def _webvtt_words(lines: list[str], *, more: bool) -> list[str]:  # noqa: ARG001  # as _subrip_words
    return list(takewhile(str, lines))


def _subrip_words(lines: list[str], *, more: bool) -> list[str]:
    words = [line for line in lines if line.strip()]
    return words[:-1] if more and words and words[-1].strip().isdecimal() else words


def _without_rolling(cues: list[_Cue]) -> Segments:
    """Segments in which a line that stays on the screen for several cues stands once."""
    segments: Segments = []
    shown: list[str] = []
    shown_until = -inf
    for start, end, raw_lines in cues:
        lines = [line for raw in raw_lines if (line := " ".join(raw.split()))]
        if not lines:
            continue
        stayed = _stayed(shown, lines) if start - shown_until <= _ROLLING_GAP_SECONDS else 0
        if stayed == len(lines):
            segments[-1]["end"] = max(segments[-1]["end"], end)
        else:
            text = " ".join(lines[stayed:])
            segments.append({"start": start, "end": end, "text": text, "source": "speech"})
        shown, shown_until = lines, end
    return segments


def _stayed(shown: list[str], lines: list[str]) -> int:
    longest = min(len(shown), len(lines))
    return next((n for n in range(longest, 0, -1) if shown[-n:] == lines[:n]), 0)
