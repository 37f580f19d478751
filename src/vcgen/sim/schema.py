"""Make a value that a JSON schema accepts, its strings filled from given sentences."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import cycle
from random import Random
from typing import Any

# Past the first depth a recursive schema is closed as soon as it allows it; a schema may branch at
# every level, so the number of values is bounded too.
_DEEP, _DEEPEST, _MOST_VALUES = 6, 40, 10_000
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
    """A value for `schema`: enums drawn from `random`, strings taken from `texts` in turn.

    `pattern`, `not`, `prefixItems`, conditional keywords and further parts of `allOf` are ignored.

    Raises:
        Unfillable: the schema is malformed, endless, or a `$ref` leads nowhere.
    """
    try:
        return _Filler(schema, texts, random).value(schema, 0)
    except (TypeError, AttributeError, LookupError, ArithmeticError) as error:
        raise Unfillable(f"it is malformed ({error})") from error


class _Filler:
    def __init__(self, root: Mapping[str, Any], texts: Sequence[str], random: Random) -> None:
        self._root, self._random, self._values = root, random, 0
        self._next_text = partial(next, cycle(texts))

    def value(self, schema: Any, depth: int) -> Any:
        self._values += 1
        if depth > _DEEPEST or self._values > _MOST_VALUES:
            raise Unfillable("it refers to itself without an end")
        if not isinstance(schema, Mapping):
            return self._next_text()
        if "$ref" in schema:
            return self.value(self._resolve(schema["$ref"]), depth + 1)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._random.choice(schema["enum"])
        if options := schema.get("anyOf") or schema.get("oneOf"):
            # Null ends a recursion, and is the poorer value before that.
            nulls = [option for option in options if option == {"type": "null"}]
            others = [option for option in options if option not in nulls]
            first, second = (nulls, others) if depth > _DEEP else (others, nulls)
            return self.value([*first, *second][0], depth + 1)
        if parts := schema.get("allOf"):
            return self.value(parts[0], depth + 1)
        return self._typed(schema, depth)

    def _resolve(self, reference: str) -> Any:
        target: Any = self._root
        for part in filter(None, reference.removeprefix("#").split("/")):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        return target

    def _typed(self, schema: Mapping[str, Any], depth: int) -> Any:
        named = schema.get("type")
        if isinstance(named, list):
            named = next((name for name in named if name != "null"), "null")
        if named == "object" or (named is None and "properties" in schema):
            properties, required = schema.get("properties", {}), schema.get("required", ())
            names = dict.fromkeys([*(properties if depth <= _DEEP else ()), *required])
            return {name: self.value(properties.get(name, {}), depth + 1) for name in names}
        if named == "array" or (named is None and "items" in schema):
            count = max(schema.get("minItems", 0), 2 if depth <= _DEEP else 0)
            count = min(count, schema.get("maxItems", count), _MOST_VALUES)
            return [self.value(schema.get("items", {}), depth + 1) for _ in range(count)]
        if named in {"integer", "number"}:
            number = _number(schema)
            return int(number) if named == "integer" else number
        if named in {"boolean", "null"}:
            return self._random.random() < 0.5 if named == "boolean" else None
        text = _FORMATS.get(schema.get("format", "")) or self._next_text()
        while len(text) < min(schema.get("minLength", 0), _MOST_VALUES):
            text += f" {self._next_text()}"
        return text[: schema.get("maxLength")]


def _number(schema: Mapping[str, Any]) -> float:
    """A number within the bounds, the lowest multiple if there is one."""
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
