"""A reply in server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

vcgen asks for whole replies. Some servers answer in events all the same, or have no other replies.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

_END = b"[DONE]"


def is_event_stream(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a reply consists of events."""
    is_said = headers.get("content-type", "").startswith("text/event-stream")
    return is_said or body.startswith((b"data:", b"event:", b": "))


def merged(body: bytes) -> dict[str, Any]:
    """Merge the chunks of a completion into the reply that it would have been.

    Raises:
        ValueError, TypeError, AttributeError: an event is no chunk.
    """
    parts: dict[str, list[str]] = {"content": [], "reasoning_content": [], "refusal": []}
    finish_reason, reply = None, dict[str, Any]()
    for data in _events(body):
        chunk = orjson.loads(data)
        if error := chunk.get("error"):
            return {"error": error}
        reply |= {name: chunk[name] for name in ("model", "usage") if chunk.get(name)}
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or choice.get("message") or {}
            for name, texts in parts.items():
                texts.append(delta.get(name) or "")
            finish_reason = choice.get("finish_reason", finish_reason) or finish_reason
    message = {name: "".join(texts) for name, texts in parts.items()}
    return {**reply, "choices": [{"message": message, "finish_reason": finish_reason}]}


def _events(body: bytes) -> Iterator[bytes]:
    for event in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
        data = b"\n".join(lines)
        if data == _END:
            return
        if data:
            yield data
