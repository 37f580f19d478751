"""Error bodies of real servers: code, message and status, whatever wraps them.

{"error": {"message", "type", "code"}}      OpenAI and most others
{"message", "type", "code"}                 unwrapped: vLLM of some versions, Mistral
{"error": "text"}, {"message": "text"}      Ollama, gateways
{"detail": "text" | [{"loc", "msg"}]}       FastAPI
[{"error": {...}}]                          Gemini
status 200 with {"error": {"code": 429}}    OpenRouter
"""

from collections.abc import Mapping
from typing import Any

import orjson

from vcgen.engine.chat import Failure
from vcgen.engine.rate_headers import nothing_remains, retry_after

_LONGEST_MESSAGE = 500


def failure_of(status: int, headers: Mapping[str, str], body: bytes, error: Any = None) -> Failure:
    """The failure that a reply reports.

    Args:
        status: of the reply, or within its body.
        headers: with lower-case names.
        body: of the reply.
        error: the part of the body that describes it, None to look for it.
    """
    if error is None:
        error = _redirect(status, headers) or _error_in(body)
    fields = error if isinstance(error, dict) else {"message": error}
    code = (
        as_text(fields.get("code")) or as_text(fields.get("type")) or as_text(fields.get("status"))
    )
    message = _message(fields) or code or start_of(body)
    should_retry = headers.get("x-should-retry", "").strip().lower()
    return Failure(
        status=status,
        code=code,
        param=as_text(fields.get("param")),
        message=" ".join(message.split())[:_LONGEST_MESSAGE],
        retry_after_s=retry_after(headers),
        should_retry={"true": True, "false": False}.get(should_retry),
        is_exhausted=nothing_remains(headers),
    )


def embedded_status(error: Any) -> int | None:
    """The HTTP status that an error within a reply states as its code, None without one."""
    code = error.get("code") if isinstance(error, dict) else None
    number = int(code) if isinstance(code, str) and code.isdecimal() and len(code) == 3 else code
    return number if type(number) is int and 400 <= number <= 599 else None


def as_text(value: Any) -> str:
    """A text, or nothing for any other value."""
    return value if isinstance(value, str) else ""


def start_of(body: bytes) -> str:
    """The first bytes of a body, for a message."""
    return repr(body[:200].decode("utf-8", "replace")) if body else "empty"


def _redirect(status: int, headers: Mapping[str, str]) -> str | None:
    if 300 <= status < 400 and (target := headers.get("location")):
        # Without its query, which may hold a secret.
        shown = target.partition("?")[0].partition("#")[0]
        return f"it sends us on to {shown!r}"
    return None


def _error_in(body: bytes) -> Any:
    try:
        data = orjson.loads(body)
    except ValueError:
        return None
    if isinstance(data, list) and data:
        data = data[0]
    return data.get("error", data) if isinstance(data, dict) else None


def _message(fields: Mapping[str, Any]) -> str:
    for name in ("message", "detail", "error", "msg"):
        if text := as_text(fields.get(name)):
            return text
    detail = fields.get("detail")
    if isinstance(detail, list):
        faults = [each for each in detail if isinstance(each, dict)]
        return "; ".join(filter(None, map(_fault, faults)))
    return ""


def _fault(fault: Mapping[str, Any]) -> str:
    where = fault.get("loc")
    place = ".".join(map(str, where)) if isinstance(where, list) else ""
    return ": ".join(filter(None, (place, as_text(fault.get("msg")))))
