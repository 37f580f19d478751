"""Make a value that a JSON schema accepts, its strings filled from given sentences."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from random import Random
from typing import Any

# Past this depth a recursive schema is closed as soon as it allows it.
_DEEP = 6
_DEEPEST = 40
# A schema may branch at every level: without a limit, a short one fills the memory.
_MOST_VALUES = 10_000
_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class Unfillable(ValueError):
    """No value can be made for the schema."""


def fill(schema: Mapping[str, Any], texts: Sequence[str], random: Random) -> Any:
    """A value for `schema`: enums and numbers drawn from `random`, strings taken from `texts`.

    `pattern`, `not` and conditional keywords are not honoured.

    Raises:
        Unfillable: the schema is malformed, endless, or a `$ref` leads nowhere.
    """
    filler = _Filler(schema, cycle(texts or ["Nothing more is known."]), random)
    try:
        return filler.value(schema, 0)
    except (TypeError, AttributeError, LookupError, ArithmeticError) as error:
        raise Unfillable(f"it is malformed ({error})") from error


class _Filler:
    def __init__(self, root: Mapping[str, Any], texts: Iterator[str], random: Random) -> None:
        self._root, self._texts, self._random = root, texts, random
        self._values = 0

    def value(self, schema: Any, depth: int) -> Any:
        self._values += 1
        if depth > _DEEPEST or self._values > _MOST_VALUES:
            raise Unfillable("it refers to itself without an end")
        if not isinstance(schema, Mapping):
            return next(self._texts)
        if "$ref" in schema:
            return self.value(self._resolve(schema["$ref"]), depth + 1)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._random.choice(schema["enum"])
        for combined in ("anyOf", "oneOf"):
            if schema.get(combined):
                return self.value(_choose(schema[combined], depth), depth + 1)
        if schema.get("allOf"):
            return self.value(self._merged(schema), depth + 1)
        return self._typed(schema, depth)

    def _resolve(self, reference: str) -> Any:
        found: Any = self._root
        for part in reference.removeprefix("#").strip("/").split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            if name and not (isinstance(found, Mapping) and name in found):
                raise Unfillable(f"$ref {reference!r} leads nowhere")
            found = found[name] if name else found
        return found

    def _merged(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema["allOf"]:
            whole = self._resolve(part["$ref"]) if "$ref" in part else part
            properties = {**merged.get("properties", {}), **whole.get("properties", {})}
            required = [*merged.get("required", ()), *whole.get("required", ())]
            merged |= whole
            merged |= {"properties": properties, "required": required} if properties else {}
        return merged

    def _typed(self, schema: Mapping[str, Any], depth: int) -> Any:
        match _type_of(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "integer":
                return int(self._number(schema))
            case "number":
                return self._number(schema)
            case "boolean":
                return self._random.random() < 0.5
            case "null":
                return None
            case _:
                return self._string(schema)

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        wanted = schema.get("required", ()) if depth > _DEEP else properties
        names = dict.fromkeys([*wanted, *schema.get("required", ())])
        return {name: self.value(properties.get(name, {}), depth + 1) for name in names}

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        least = schema.get("minItems", 0)
        wanted = least if depth > _DEEP else max(least, 2)
        prefix = schema.get("prefixItems", [])
        count = max(min(wanted, schema.get("maxItems", wanted)), min(len(prefix), wanted))
        items = [*prefix[:count], *[schema.get("items", {})] * (count - len(prefix))]
        return [self.value(item, depth + 1) for item in items]

    def _number(self, schema: Mapping[str, Any]) -> float:
        step: float = schema.get("multipleOf", 1)
        low: float | None = schema.get("minimum", schema.get("exclusiveMinimum"))
        high: float | None = schema.get("maximum", schema.get("exclusiveMaximum"))
        if low is None:
            low = 1 if high is None or high >= 1 else high - step
        number = -(-low // step) * step
        if number == schema.get("exclusiveMinimum"):
            number += step
        is_over = high is not None and (number > high or number == schema.get("exclusiveMaximum"))
        return (low + high) / 2 if is_over and high is not None else number

    def _string(self, schema: Mapping[str, Any]) -> str:
        if (shape := schema.get("format")) in _FORMATS:
            return _FORMATS[shape]
        text = next(self._texts)
        while len(text) < schema.get("minLength", 0):
            text = f"{text} {next(self._texts)}"
        return text[: schema.get("maxLength")]


def _choose(options: Sequence[Any], depth: int) -> Any:
    def is_null(option: Any) -> bool:
        return isinstance(option, Mapping) and option.get("type") == "null"

    return next((option for option in options if is_null(option) == (depth > _DEEP)), options[0])


def _type_of(schema: Mapping[str, Any]) -> str:
    named = schema.get("type")
    if isinstance(named, list):
        named = next((name for name in named if name != "null"), "null")
    if named is None:
        named = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(named)
