"""Read a reply: strip fences and thinking, parse JSON, recognize refusals."""

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel, ValidationError

from vcgen.data.clips import explain
from vcgen.engine.chat import Completion, Schema
from vcgen.errors import Reason, SampleRejected

if TYPE_CHECKING:
    pass


# The mender takes up to 0.1 ms a character, and everybody waits meanwhile.
MENDABLE_CHARACTERS = 20_000
# Some 65,000 tokens, more than models write. What is longer is not worth the time to look at it.
MAX_REPLY_CHARACTERS = 1 << 18
_FENCED = re.compile(r"^```[a-zA-Z]*\n(.*?)\n?```$", re.DOTALL)
_THINKING = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
_REFUSALS = re.compile(
    r"^(i['\u2019]?m (really |very )?sorry|i am (really |very )?sorry|sorry,|i apologi[sz]e"
    r"|i can(['\u2019]t|not| not) (help|assist|comply|provide|fulfil|do that|create|generate"
    r"|watch|view)"
    r"|i['\u2019]?m (unable|not able)|i am (unable|not able)|as an ai\b)",
    re.IGNORECASE,
)


def _raise_if_too_long(text: str) -> None:
    if (size := len(text)) > MAX_REPLY_CHARACTERS:
        message = f"the reply has {size} characters, the limit is {MAX_REPLY_CHARACTERS}"
        raise SampleRejected(Reason.INVALID_REPLY, message, reply=text[:MAX_REPLY_CHARACTERS])


def _raise_if_withheld(completion: Completion) -> None:
    text = completion.text
    if completion.finish_reason == "content_filter":
        raise SampleRejected(Reason.CONTENT_FILTER, "the endpoint's filter withheld it", reply=text)
    if completion.refusal or _REFUSALS.match(text.strip()):
        refusal = completion.refusal or text
        raise SampleRejected(Reason.REFUSAL, "the model refused", reply=refusal)


def _read(written: str, schema: type[BaseModel] | None) -> tuple[str, Any, list[str]]:
    """The text of a reply without thinking and code fence, its data, and what is wrong with it."""
    text = _THINKING.sub("", written).strip()
    if text.startswith("```") and (fenced := _FENCED.match(text)):
        text = fenced[1].strip()
    if not text:
        return text, None, ["it is empty"]
    if schema is None:
        return text, text, []
    return text, *parse(text, schema)


def parse(text: str, schema: type[BaseModel]) -> tuple[BaseModel | None, list[str]]:
    """The reply as an instance of `schema`, or what is wrong with it in words a model can act on.

    Strictly first; then with small faults of form mended (commas, quotes, words around the JSON).
    """
    try:
        return schema.model_validate_json(text), []
    except ValidationError as error:
        strict = explain(error)
    # Only what holds JSON at all is mended: from prose, a mender makes up something valid.
    if "{" not in text and "[" not in text:
        return None, ["it is not JSON"]
    if len(text) > MENDABLE_CHARACTERS:
        return None, [strict]
    import json_repair  # noqa: PLC0415 - 40 ms that most runs never need

    try:
        mended = orjson.dumps(json_repair.loads(text))
        return schema.model_validate_json(mended), []
    except ValidationError as error:
        return None, [explain(error)]
    except Exception:  # noqa: BLE001 - what a mender cannot mend may break anything in it
        return None, [strict]


@cache
def json_schema(model: type[BaseModel]) -> Schema:
    """The schema endpoints take in strict mode: every object closed, every property required.

    See https://platform.openai.com/docs/guides/structured-outputs#supported-schemas.
    """
    definition = model.model_json_schema()
    for part in (definition, *definition.get("$defs", {}).values()):
        if part.get("type") == "object":
            part["additionalProperties"] = False
            part["required"] = list(part.get("properties", {}))
    return Schema(model.__name__.lower(), definition)
