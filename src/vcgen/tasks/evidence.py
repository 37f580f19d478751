"""Render a clip's evidence as text, once per clip; templates only place it.

The lines are untrusted (captions, speech, models), so they stand between two fence lines that carry
128 bits of a hash of the text between them. To close the fence from within, a text would have to
contain its own hash. Unlike a random mark, the hash makes the same prompt of the same clip: prefix
caches of endpoints, the calls of a continued run and the records of a repeated one depend on it.
"""

from hashlib import blake2b

from vcgen.data.cleaning import CANARY
from vcgen.data.clips import Clip, Segment, format_seconds

_MARK = {"caption": "", "dense": "(objects) ", "speech": "(speech) ", "action": "(action) "}


def render_evidence(clip: Clip) -> str:
    """Render the evidence between its two fence lines, times in seconds."""
    return fence("evidence", "\n".join(_lines(clip)))


def fence(label: str, text: str) -> str:
    """Put `text` between two lines that name it and that it cannot contain."""
    mark = CANARY + blake2b(text.encode(), digest_size=16).hexdigest()
    return f"=== {label} {mark} ===\n{text}\n=== end of {label} {mark} ==="


def _lines(clip: Clip) -> list[str]:
    lines = []
    if clip.duration is not None:
        lines.append(f"Length of the video: {format_seconds(clip.duration)} seconds")
    if clip.caption:
        lines.append(f"Caption: {clip.caption}")
    if clip.summary:
        lines.append(f"Summary: {clip.summary}")
    if clip.tags:
        lines.append(f"Tags: {' | '.join(clip.tags)}")
    if clip.segments:
        lines.append("In order of time, in seconds:")
        lines.extend(map(_segment, clip.segments))
    return lines


def _segment(segment: Segment) -> str:
    start, end, box = format_seconds(segment.start), format_seconds(segment.end), segment.box
    span = start if start == end else f"{start}-{end}"
    line = f"[{span}] {_MARK[segment.source]}{segment.text}"
    return line if box is None else f"{line} at [{', '.join([f'{edge:.2f}' for edge in box])}]"
