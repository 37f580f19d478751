"""Endpoints as people write them down: `URL,name=value,...`, or `[[endpoint]]` tables of TOML.

A key stands in neither, only the name of the environment variable that holds it. What may be a key
all the same is refused and not repeated.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vcgen.engine.config import Endpoint, EndpointSpec, Limits
from vcgen.errors import UsageError

_LIMITS = {
    "rpm": "rpm",
    "tpm": "tpm",
    "input-tpm": "input_tpm",
    "output-tpm": "output_tpm",
    "concurrency": "concurrency",
}
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_WORD = re.compile(r"[a-z]{1,12}([-_][a-z]{1,12})?")


def choose_endpoints(
    specs: Sequence[str], common: Endpoint, *, base_url: str | None, key_variable: str | None
) -> tuple[EndpointSpec, ...]:
    """The endpoints that a command line names; no key is looked for yet.

    Args:
        specs: each `URL,name=value,...` or the path of a TOML file.
        common: what holds for each that says nothing else.
        base_url, key_variable: of the only endpoint, where there are no specs.

    Raises:
        UsageError: a spec cannot be understood, or there are both.
    """
    if not specs:
        return (EndpointSpec.from_environment(common, base_url, key_variable or "OPENAI_API_KEY"),)
    if base_url or key_variable:
        raise UsageError(
            "--base-url and --api-key-env name the only endpoint; beside --endpoint give each its "
            "own: --endpoint URL,key-env=NAME"
        )
    tables = [table for spec in specs for table in _tables(spec)]
    return tuple(_numbered(at, table, common) for at, table in enumerate(tables, 1))


def choose_judge(
    model: str | None,
    *,
    base_url: str | None,
    key_variable: str | None,
    price: str | None,
    limits: Limits,
    use_env_proxy: bool,
) -> EndpointSpec | None:
    """The endpoint of the judge that a command line names, None for no judge.

    Raises:
        UsageError: more is said of a judge that is not named, or as for `Endpoint`.
    """
    if model is None:
        if limits != Limits() or base_url or key_variable or price:
            raise UsageError("there is no judge that this holds for: name the model, --judge NAME")
        return None
    priced = None if price is None else parse_price(price)
    common = Endpoint(model=model, price=priced, limits=limits, use_env_proxy=use_env_proxy)
    return EndpointSpec.from_environment(common, base_url, key_variable or "OPENAI_API_KEY")


def _tables(spec: str) -> list[Mapping[str, Any]]:
    if spec.startswith(("http://", "https://")):
        return [parse_spec(spec)]
    if not spec.endswith(".toml"):
        raise UsageError(
            "--endpoint takes URL,name=value,... (http:// or https://) or a .toml file"
        )
    try:
        return parse_file(Path(spec).read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{spec} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{spec} is no TOML: {error}") from error
    except UsageError as error:
        raise UsageError(f"{spec}: {error}") from error


def parse_spec(spec: str) -> dict[str, str]:
    """The fields of `URL,name=value,...`."""
    url, *pairs = spec.split(",")
    fields = {"url": url}
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or name in fields:
            raise UsageError("--endpoint takes URL,name=value,... with each name once")
        fields[name] = value
    return fields


def parse_file(content: str) -> list[Mapping[str, Any]]:
    """The fields of each `[[endpoint]]`.

    Raises:
        ValueError: the content is no TOML.
        UsageError: it holds anything else.
    """
    document = tomllib.loads(content)
    tables: Any = document.pop("endpoint", None)
    are_tables = isinstance(tables, list) and all(isinstance(table, dict) for table in tables)
    if document or not tables or not are_tables:
        raise UsageError("must hold [[endpoint]] tables and nothing else")
    return list(tables)


def read_endpoint(fields: Mapping[str, Any], common: Endpoint) -> EndpointSpec:
    """The endpoint that fields describe; `common` is what they leave out.

    Raises:
        UsageError: a name is not known, or a value is none of its kind.
    """
    if strangers := fields.keys() - _READERS.keys():
        raise UsageError(_unknown(min(strangers)))
    if "url" not in fields:
        raise UsageError("the url is missing")
    read = {name: _READERS[name](name, value) for name, value in fields.items()}
    limits = {field: read[name] for name, field in _LIMITS.items() if name in read}
    endpoint = replace(
        common,
        base_url=read["url"],
        deployment=read.get("model"),
        json_mode=read.get("structured", common.json_mode),
        price=read.get("price", common.price),
        limits=replace(common.limits or Limits(), **limits),
    )
    return EndpointSpec(endpoint=endpoint, key_variable=read.get("key-env"))


def parse_price(value: Any) -> tuple[float, float]:
    """Dollars a million tokens, of prompts and replies: `0.15,0.60`, `0.15:0.60` or two numbers."""
    try:
        prompt, reply = map(float, re.split("[,:]", value) if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"price {value!r}: give two numbers such as 0.15,0.60") from None
    return prompt, reply


def _numbered(number: int, fields: Mapping[str, Any], common: Endpoint) -> EndpointSpec:
    try:
        return read_endpoint(fields, common)
    except UsageError as error:
        raise UsageError(f"endpoint {number}: {error}") from error


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{name} must be a text, not {value!r}")
    return value


def _url(name: str, value: Any) -> str:
    url = _text(name, value)
    if re.search(r"[\s=;]", url):  # what was meant to follow it may be a key
        raise UsageError("the URL has characters that no base URL needs; a comma ends it")
    return url


def _variable(name: str, value: Any) -> str:
    if not _VARIABLE.fullmatch(_text(name, value)):
        raise UsageError(
            f"{name} must be the name of an environment variable, such as MY_KEY; what was given "
            "may be a key and is not shown"
        )
    return str(value)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,12}", str(value)):
        raise UsageError(f"{name} must be a whole number, not {value!r}")
    return int(value)


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "url": _url,
    "key-env": _variable,
    "model": _text,
    "structured": _text,
    "price": lambda _, value: parse_price(value),
    **dict.fromkeys(_LIMITS, _whole),
}


def _unknown(name: str) -> str:
    if name.lower().replace("_", "-") in {"key", "api-key", "apikey", "token", "secret"}:
        return "a key stays in the environment: name its variable, key-env=NAME"
    shown = f" {name!r}" if _WORD.fullmatch(name) else ""
    return f"there is no name{shown}; there are {', '.join(_READERS)}"
