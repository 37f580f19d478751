"""Add transcripts of speech, SubRip, WebVTT or Whisper JSON, found by the stem of their file.

A faulty transcript never costs a clip. Its readable cues are added; the clip's `cleaned` counts the
others: whole files as `unreadable_speech`, cues without a readable start as `no_time`, cues without
a readable end, which become instants, as `no_end`.
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

from vcgen.data.readers.files import RawSegment, Rows
from vcgen.errors import UsageError

# If a video has several, the earlier kind wins: a .json may also be a page's metadata.
_KINDS = (".vtt", ".srt", ".json")
_STAMP = re.compile(r"(?:(\d{1,2}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})(?!\S)")
_INLINE_STAMP = re.compile(r"<[\d:.,]+>")
# Rolling captions follow each other without a gap; a tenth of a second allows for rounding.
_ROLLING_GAP_SECONDS = 0.1
# Rolling captions show two or three lines; comparing all of two very long cues is quadratic.
_MAX_ROLLING_LINES = 16
_LATEST_SECOND = 1e9
_LINE_BREAK = r"\N"  # of pysubs2

Segments = list[RawSegment]


class _Cue(NamedTuple):
    start: float
    end: float
    lines: list[str]


def with_transcripts(rows: Rows, directory: Path) -> Rows:
    """Add the transcripts of a directory to the rows; raise UsageError if it has none."""
    transcripts = _find_transcripts(directory)
    return ((place, _add_transcript(row, transcripts)) for place, row in rows)


def _find_transcripts(directory: Path) -> dict[str, Path]:
    try:
        files = sorted(file for file in directory.iterdir() if file.suffix.lower() in _KINDS)
    except OSError as error:
        raise UsageError(f"transcripts: {directory} cannot be listed: {error.strerror}") from error
    if not files:
        raise UsageError(f"transcripts: {directory} holds no {', '.join(_KINDS)} file")
    files.sort(key=lambda file: _KINDS.index(file.suffix.lower()), reverse=True)
    return {file.stem: file for file in files}


def _add_transcript(row: Any, transcripts: Mapping[str, Path]) -> Any:
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
    """Read the raw speech segments of one file, times in seconds; count its faults by name."""
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
                # Written so that NaN fails it.
                if abs(start) < _LATEST_SECOND and abs(end) < _LATEST_SECOND:
                    cues.append(_Cue(start, end, [text]))
                    continue
        counts["no_time"] += 1
    return cues


def _subtitles(text: str, counts: Counter[str]) -> list[_Cue]:
    blocks = "\n".join(_well_formed(text, counts))
    with warnings.catch_warnings():
        # It warns of words that look like times; here they are known to be words.
        warnings.simplefilter("ignore")
        events = pysubs2.SSAFile.from_string(blocks, format_="srt")
    return [
        _Cue(event.start / 1000, event.end / 1000, html.unescape(event.plaintext).split("\n"))
        for event in events
    ]


def _well_formed(text: str, counts: Counter[str]) -> Iterator[str]:
    """Yield each readable cue as a SubRip block with its words on one line.

    pysubs2 alone takes all text between two readable times for words (comments, names of cues, cues
    with broken times), a line of words with two stamps for times, and a number that ends the words
    for the number of the next cue.
    """
    lines = _INLINE_STAMP.sub("", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    timings = [index for index, line in enumerate(lines) if "-->" in line]
    words_of = _webvtt_words if text.startswith("WEBVTT") else _subrip_words
    for index, following in pairwise([*timings, len(lines)]):
        times = _times(lines[index], counts)
        if times:
            words = words_of(lines[index + 1 : following], more=following < len(lines))
            folded = _LINE_BREAK.join(" ".join(line.split()) for line in words)
            yield f"{times}\n{_escape_unclosed_tags(folded)}\n"


def _escape_unclosed_tags(text: str) -> str:
    """Escape each `<` and `{` that nothing closes, for `html.unescape` to restore.

    pysubs2 searches for the end of a tag from each of them, so n of them would take n * n steps.
    """
    tags_end, braces_end = text.rfind(">") + 1, text.rfind("}") + 1
    text = text[:tags_end] + text[tags_end:].replace("<", "&lt;")
    return text[:braces_end] + text[braces_end:].replace("{", "&#123;")


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
    """Make segments of cues; a line that stays on the screen for several cues appears once."""
    segments: Segments = []
    shown: list[str] = []
    shown_until = -inf
    for start, end, raw_lines in cues:
        lines = [line for raw in raw_lines if (line := " ".join(raw.split()))]
        if not lines:
            continue
        is_rolling = start - shown_until <= _ROLLING_GAP_SECONDS
        repeated = _count_repeated(shown, lines) if is_rolling else 0
        if repeated == len(lines):
            segments[-1]["end"] = max(segments[-1]["end"], end)
        else:
            text = " ".join(lines[repeated:])
            segments.append({"start": start, "end": end, "text": text, "source": "speech"})
        shown, shown_until = lines, end
    return segments


def _count_repeated(shown: list[str], lines: list[str]) -> int:
    longest = min(len(shown), len(lines), _MAX_ROLLING_LINES)
    return next((n for n in range(longest, 0, -1) if shown[-n:] == lines[:n]), 0)
