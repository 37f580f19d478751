"""Tags by which trainers mark the place of a video or an image in a text."""

import re

VIDEO, IMAGE = "<video>", "<image>"

# Trainers differ in case, spaces, attributes and names: <Video>, </vid>, <img src=...>, <im_start>,
# <vi_patch>. No part of the pattern can match in two ways, so it is linear.
MEDIA_TAG = r"<\s*+/?\s*+(?:vid|image|img|audio|im_|vi_)\w*+[^<>]*+>"

_LEADING = re.compile(rf"\A\s*(?:(?:{VIDEO}|{IMAGE})\s*)+")


def without_outer_tags(text: str) -> str:
    """Remove the tags that stand for a text's media, before it or after it."""
    if VIDEO not in text and IMAGE not in text:
        return text
    text = _LEADING.sub("", text)
    for tag in (VIDEO, IMAGE):
        text = text.rstrip().removesuffix(tag)
    return text
