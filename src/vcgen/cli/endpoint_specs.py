"""Endpoints as people write them down: `[[endpoint]]` tables of a TOML file.

A table never holds a key, only the name of the environment variable that does. A value or an
unknown name may be a key in the wrong place, so errors repeat neither.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from vcgen.data.records import is_simulated
from vcgen.engine.config import Endpoint, EndpointSpec, JsonMode, Limits
from vcgen.errors import UsageError
from vcgen.sim import in_memory

_NOT_BARE = re.compile(r"[\s=;]")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_KEY_NAMES = {"key", "api-key", "apikey", "token", "secret"}
_OPTION_LIKE = re.compile(r"[a-z]{1,12}([-_][a-z]{1,12})?")  # too short and plain to be a key


def _require_variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError(
            "must be the name of an environment variable, such as MY_KEY (the value may be a key "
            "and is not shown)"
        )
    return name


def _require_bare_url(url: str) -> str:
    if _NOT_BARE.search(url):
        raise ValueError("must be the address alone (the rest may be a key and is not shown)")
    return url


_Count = Annotated[int, Field(ge=1, le=10**12)]


class _Table(BaseModel):
    """One `[[endpoint]]`; a missing field has the value of the command line."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        alias_generator=lambda name: name.replace("_", "-"),
    )

    base_url: Annotated[str, AfterValidator(_require_bare_url)]
    key_env: Annotated[str, AfterValidator(_require_variable)] | None = None
    deployment: str | None = None
    rpm: _Count | None = None
    tpm: _Count | None = None
    input_tpm: _Count | None = None
    output_tpm: _Count | None = None
    concurrency: _Count | None = None
    price: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    json_mode: JsonMode | None = None
    body: dict[str, Any] | None = None
    headers: dict[str, Annotated[str, AfterValidator(_require_variable)]] | None = None
    query: dict[str, str] | None = None

    def spec(self, common: Endpoint) -> EndpointSpec:
        """The endpoint, with the fields of `common` where the table has none."""
        limits = self.model_dump(
            include={"rpm", "tpm", "input_tpm", "output_tpm", "concurrency"}, exclude_none=True
        )
        endpoint = replace(
            common,
            base_url=self.base_url,
            deployment=self.deployment,
            json_mode=self.json_mode or common.json_mode,
            price=common.price if self.price is None else (self.price[0], self.price[1]),
            limits=replace(common.limits or Limits(), **limits),
            body=common.body if self.body is None else self.body,
            query=common.query if self.query is None else self.query,
        )
        return EndpointSpec(
            endpoint=in_memory(endpoint),
            key_variable=self.key_env,
            header_variables=self.headers or {},
        )


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    endpoint: Annotated[list[_Table], Field(min_length=1)]


def choose_endpoint(common: Endpoint, base_url: str | None, key_variable: str) -> EndpointSpec:
    """`common` at a base URL, at that of the environment, or in memory for a simulated model."""
    if base_url is None and is_simulated(common.model):
        return EndpointSpec(endpoint=in_memory(common))
    return EndpointSpec.from_environment(common, base_url, key_variable)


def read_endpoints(path: Path, common: Endpoint) -> tuple[EndpointSpec, ...]:
    """The endpoints of a TOML file, without their keys.

    Args:
        path: the file.
        common: the model, and the values of missing fields.

    Raises:
        UsageError: the file cannot be read, or a table is wrong; the message names which.
    """
    try:
        return parse_endpoints(path.read_text("utf-8"), common)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error


def parse_endpoints(content: str, common: Endpoint) -> tuple[EndpointSpec, ...]:
    """As `read_endpoints`, of the content of a file; raises ValueError for invalid TOML."""
    try:
        document = _Document.model_validate(tomllib.loads(content))
    except ValidationError as error:
        raise UsageError(_describe(error)) from None
    specs = []
    for number, table in enumerate(document.endpoint, 1):
        try:
            specs.append(table.spec(common))
        except UsageError as error:
            raise UsageError(f"endpoint {number}: {error}") from error
    return tuple(specs)


def parse_price(text: str) -> tuple[float, float]:
    """US dollars per million tokens, of prompts and replies, from `0.15,0.60`."""
    try:
        prompt, reply = map(float, text.split(","))
    except ValueError:
        raise UsageError(f"price {text!r}: give two numbers such as 0.15,0.60") from None
    return prompt, reply


def parse_body(text: str) -> dict[str, Any]:
    """Fields of requests, from a JSON object."""
    try:
        body = orjson.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise UsageError("--body: give a JSON object, such as '{\"top_p\": 0.9}'")
    return body


def parse_pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Names and values, from `NAME=VALUE`; no value is shown, as it may be a key."""
    pairs = dict[str, str]()
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise UsageError(f"{option}: give NAME=VALUE, once for each")
        pairs[name] = value
    return pairs


def parse_header_variables(texts: Sequence[str]) -> dict[str, str]:
    """Headers and the environment variables that hold their values."""
    variables = parse_pairs("--header", texts)
    for name, variable in variables.items():
        if not _VARIABLE.fullmatch(variable):
            raise UsageError(
                f"--header {name}: give the name of an environment variable, such as MY_TOKEN "
                "(the value may be a key and is not shown)"
            )
    return variables


def _describe(error: ValidationError) -> str:
    """The first fault, without any value of the file."""
    fault = error.errors(include_url=False, include_input=False)[0]
    match fault["loc"]:
        case ("endpoint", int(at), str(name), *_):
            kind, message = fault["type"], fault["msg"].removeprefix("Value error, ")
            reason = _unknown(name) if kind == "extra_forbidden" else f"{name}: {message}"
            return f"endpoint {at + 1}: {reason}"
    return "must hold [[endpoint]] tables and nothing else"


def _unknown(name: str) -> str:
    if name.lower().replace("_", "-") in _KEY_NAMES:
        return 'keys stay in the environment: name the variable, key-env = "NAME"'
    shown = repr(name) if _OPTION_LIKE.fullmatch(name) else "(not shown, as it may be a key)"
    names = ", ".join(str(field.alias) for field in _Table.model_fields.values())
    return f"unknown name {shown}; choose from {names}"
