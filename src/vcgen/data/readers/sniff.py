"""Detect the format of a file from its first bytes, not from its name."""

import re

from vcgen.data.clips import Clip
from vcgen.data.readers.webvid import columns

_FIELDS = "|".join(Clip.model_fields)
# No line break before the brace: tried at each of n empty lines, `\s*` would take n * n steps.
_CLIP_LINE = re.compile(rf'^[ \t\r]*\{{\s*"(?:{_FIELDS})"\s*:'.encode(), re.MULTILINE)
_OBJECT = re.compile(rb'\A\s*\{\s*"(?P<key>(?:[^"\\]|\\.)*)"\s*:\s*(?P<opening>[\[{])')
_VLOG = re.compile(rb"\A\s*When \d+:\d\d")
_VIDEOCHAT_TEXT = re.compile(
    rb"^[ \t]*(?:Video tags are|The (?:second|general) description of the video is"
    rb"|The dense caption of the video is)[ \t]*:",
    re.MULTILINE,
)


def detect(head: bytes) -> str | None:
    """Return the name of the format of a file that begins with `head`, None if unknown."""
    keyed = _OBJECT.match(head)
    if keyed and keyed["key"].decode(errors="replace") not in Clip.model_fields:
        return "activitynet" if keyed["opening"] == b"{" else "timechat"
    if head.lstrip().startswith(b"[") or _CLIP_LINE.search(head):
        return "clips"
    if _VLOG.match(head):
        return "vlog"
    if _VIDEOCHAT_TEXT.search(head):
        return "videochat-text"
    names = set(columns(head.split(b"\n", 1)[0]))
    if names & {"videoid", "id"} and names & {"name", "caption"}:
        return "webvid"
    return None
