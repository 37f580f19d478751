"""Refuse invalid chat-completions requests, in the words of the real endpoint."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_TYPES = {
    str: "a string",
    list: "an array",
    dict: "an object",
    bool: "a boolean",
    int: "an integer",
}


class Refusal(NamedTuple):
    """An error answer."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    type: str = "invalid_request_error"

    def body(self) -> bytes:
        """The JSON that endpoints send."""
        return orjson.dumps(
            {
                "error": {
                    "message": self.message,
                    "type": self.type,
                    "param": self.param,
                    "code": self.code,
                }
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCapabilities:
    """The features of the API that the simulated endpoint has.

    Attributes:
        json_schema, json_object: the two kinds of `response_format`.
        max_tokens: the old name of `max_completion_tokens`.
        model: prefix of the model names it accepts; empty accepts any. Replies are marked `sim` in
            any case.
    """

    json_schema: bool = True
    json_object: bool = True
    max_tokens: bool = True
    model: str = "sim"


NOT_JSON = Refusal(
    400,
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
    "your HTTP library correctly. The API expects a JSON payload, but what was sent was not valid "
    "JSON.)",
)


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a valid message, its parts joined by line breaks."""
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content)
    return content or ""


def check(request: Any, behaviour: ServerCapabilities) -> Refusal | None:
    """The refusal of a parsed request body, None for a valid one."""
    if not isinstance(request, dict):
        return NOT_JSON
    return (
        _check_model(request.get("model"), behaviour)
        or _check_messages(request)
        or _check_token_limits(request, behaviour)
        or _check_response_format(request, behaviour)
        or _check_unsupported(request)
    )


def _check_model(model: Any, behaviour: ServerCapabilities) -> Refusal | None:
    if model is None or model == "":
        return Refusal(400, "you must provide a model parameter")
    if not isinstance(model, str):
        return _wrong_type("model", "a string", model)
    if not model.startswith(behaviour.model):
        return Refusal(
            404,
            f"The model `{model}` does not exist or you do not have access to it.",
            "model_not_found",
        )
    return None


def _check_messages(request: Mapping[str, Any]) -> Refusal | None:
    if "messages" not in request:
        return Refusal(
            400,
            "Missing required parameter: 'messages'.",
            "missing_required_parameter",
            "messages",
        )
    messages = request["messages"]
    if not isinstance(messages, list):
        return _wrong_type("messages", "an array of objects", messages)
    if not messages:
        return Refusal(
            400,
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an "
            "empty array instead.",
            "empty_array",
            "messages",
        )
    refusals = (_check_message(message, f"messages[{at}]") for at, message in enumerate(messages))
    return next(filter(None, refusals), None)


def _check_message(message: Any, name: str) -> Refusal | None:
    if not isinstance(message, dict):
        return _wrong_type(name, "an object", message)
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        supported = ", ".join(f"'{name}'" for name in _ROLES[:-1])
        return Refusal(
            400,
            f"Invalid value: '{role}'. Supported values are: {supported}, and '{_ROLES[-1]}'.",
            "invalid_value",
            f"{name}.role",
        )
    if isinstance(content, str) or (content is None and role == "assistant"):
        return None
    if isinstance(content, list) and all(map(_is_text_part, content)):
        return None
    return _wrong_type(f"{name}.content", "one of a string or array of objects", content)


def _is_text_part(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def _check_token_limits(
    request: Mapping[str, Any], behaviour: ServerCapabilities
) -> Refusal | None:
    if "max_tokens" in request and not behaviour.max_tokens:
        return Refusal(
            400,
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            "unsupported_parameter",
            "max_tokens",
        )
    for name in ("max_tokens", "max_completion_tokens"):
        limit = request.get(name)
        if limit is None:
            continue
        if not isinstance(limit, int) or isinstance(limit, bool):
            return _wrong_type(name, "an integer", limit)
        if limit < 1:
            return Refusal(
                400,
                f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got "
                f"{limit} instead.",
                "integer_below_min_value",
                name,
            )
    return None


def _check_response_format(
    request: Mapping[str, Any], behaviour: ServerCapabilities
) -> Refusal | None:
    asked = request.get("response_format")
    if asked is None:
        return None
    if not isinstance(asked, dict):
        return _wrong_type("response_format", "an object", asked)
    kind = asked.get("type")
    if kind not in ("text", "json_object", "json_schema"):
        return Refusal(
            400,
            f"Invalid value: '{kind}'. Supported values are: 'json_object', 'json_schema', and "
            "'text'.",
            "invalid_value",
            "response_format.type",
        )
    if kind != "text" and not getattr(behaviour, kind):
        return Refusal(
            400,
            f"Invalid parameter: 'response_format' of type '{kind}' is not supported with this "
            "model.",
            None,
            "response_format",
        )
    if kind == "json_schema":
        return _check_schema(asked.get("json_schema"))
    return _check_word_json(request) if kind == "json_object" else None


def _check_schema(named: Any) -> Refusal | None:
    for name in ("name", "schema"):
        if not isinstance(named, dict) or not named.get(name):
            return Refusal(
                400,
                f"Missing required parameter: 'response_format.json_schema.{name}'.",
                "missing_required_parameter",
                f"response_format.json_schema.{name}",
            )
    if not isinstance(named["schema"], dict):
        return _wrong_type("response_format.json_schema.schema", "an object", named["schema"])
    return None


def _check_word_json(request: Mapping[str, Any]) -> Refusal | None:
    if any("json" in str(message.get("content")).lower() for message in request["messages"]):
        return None
    return Refusal(
        400,
        "'messages' must contain the word 'json' in some form, to use 'response_format' of type "
        "'json_object'.",
        None,
        "messages",
    )


def _check_unsupported(request: Mapping[str, Any]) -> Refusal | None:
    for name, only in (("stream", False), ("n", 1)):
        value = request.get(name)
        if value is not None and value != only:
            return Refusal(
                400,
                f"Unsupported value: '{name}' does not support {orjson.dumps(value).decode()} with "
                "this model.",
                "unsupported_value",
                name,
            )
    return None


def _wrong_type(name: str, expected: str, value: Any) -> Refusal:
    got = "null" if value is None else _TYPES.get(type(value), "a number")
    return Refusal(
        400,
        f"Invalid type for '{name}': expected {expected}, but got {got} instead.",
        "invalid_type",
        name,
    )
