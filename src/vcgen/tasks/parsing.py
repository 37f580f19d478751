"""Read a reply: strip code fences, parse JSON, recognize refusals."""

import re
from functools import cache
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from vcgen.data.clips import explain
from vcgen.data.records import Reason
from vcgen.engine.chat import Completion, Schema
from vcgen.errors import SampleRejected
from vcgen.tasks.thinking import split_thinking

# `json_repair` takes up to 0.1 ms a character, and holds the event loop meanwhile.
MAX_REPAIRED_CHARACTERS = 20_000
# Some 65,000 tokens, more than models write.
MAX_REPLY_CHARACTERS = 1 << 18
_FENCED = re.compile(r"^```[a-zA-Z]*\n(.*?)\n?```$", re.DOTALL)
_REFUSALS = re.compile(
    r"^(i['\u2019]?m (really |very )?sorry|i am (really |very )?sorry|sorry,|i apologi[sz]e"
    r"|i can(['\u2019]t|not| not) (help|assist|comply|provide|fulfil|do that|create|generate"
    r"|watch|view)"
    r"|i['\u2019]?m (unable|not able)|i am (unable|not able)|as an ai\b)",
    re.IGNORECASE,
)


def reject_too_long(text: str) -> None:
    """Raise SampleRejected for a reply of more than `MAX_REPLY_CHARACTERS`."""
    if (size := len(text)) > MAX_REPLY_CHARACTERS:
        message = f"the reply has {size} characters, the limit is {MAX_REPLY_CHARACTERS}"
        raise SampleRejected(Reason.INVALID_REPLY, message, reply=text[:MAX_REPLY_CHARACTERS])


def reject_withheld(completion: Completion) -> None:
    """Raise SampleRejected for a filtered reply and for a refusal."""
    text = completion.text
    if completion.finish_reason == "content_filter":
        raise SampleRejected(Reason.CONTENT_FILTER, "the endpoint's filter withheld it", reply=text)
    if completion.refusal or _REFUSALS.match(text.strip()):
        refusal = completion.refusal or text
        raise SampleRejected(Reason.REFUSAL, "the model refused", reply=refusal)


def has_answer(completion: Completion) -> bool:
    """Return whether a reply has a text besides its thinking, and is no refusal."""
    try:
        reject_withheld(completion)
    except SampleRejected:
        return False
    if completion.finish_reason == "length":
        return True
    text = split_thinking(completion.text).text
    return bool(text) and not _REFUSALS.match(text)


def read_reply(reply: str, schema: type[BaseModel] | None) -> tuple[str, Any, list[str]]:
    """Return the text without code fence, the data in it, and its problems.

    Without a schema the text is the data. With problems the data is None.
    """
    text = reply.strip()
    if text.startswith("```") and (fenced := _FENCED.match(text)):
        text = fenced[1].strip()
    if not text:
        return text, None, ["it is empty"]
    if schema is None:
        return text, text, []
    return text, *parse(text, schema)


def parse(text: str, schema: type[BaseModel]) -> tuple[BaseModel | None, list[str]]:
    """Parse a reply as an instance of `schema`; return it, or None and problems for the model.

    Strictly first, then with small faults of form repaired: commas, quotes, text around the JSON.
    """
    try:
        return schema.model_validate_json(text), []
    except ValidationError as error:
        strict = explain(error)
    # `json_repair` makes valid JSON of any prose.
    if "{" not in text and "[" not in text:
        return None, ["it is not JSON"]
    if len(text) > MAX_REPAIRED_CHARACTERS:
        return None, [strict]
    import json_repair  # noqa: PLC0415 - 40 ms that most runs never need

    try:
        repaired = orjson.dumps(json_repair.loads(text))
        return schema.model_validate_json(repaired), []
    except ValidationError as error:
        return None, [explain(error)]
    except Exception:  # noqa: BLE001 - json_repair raises anything on text it cannot repair
        return None, [strict]


@cache
def json_schema(model: type[BaseModel]) -> Schema:
    """Return the schema as strict mode takes it: every object closed, every property required.

    See https://platform.openai.com/docs/guides/structured-outputs#supported-schemas.
    """
    definition = model.model_json_schema()
    for part in (definition, *definition.get("$defs", {}).values()):
        if part.get("type") == "object":
            part["additionalProperties"] = False
            part["required"] = list(part.get("properties", {}))
    return Schema(model.__name__.lower(), definition)
