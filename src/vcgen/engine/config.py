"""Endpoints and their limits, validated when built."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from math import inf
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode, urlsplit

from pydantic import SecretStr

from vcgen.errors import UsageError


class Structured(IntEnum):
    """How a schema is asked for, strictest first; `PROMPT` leaves it to the prompt's words."""

    JSON_SCHEMA = 2
    JSON_OBJECT = 1
    PROMPT = 0


class Capabilities(NamedTuple):
    """Ways of asking that an endpoint understands."""

    structured: Structured = Structured.JSON_SCHEMA
    token_limit: Literal["max_completion_tokens", "max_tokens"] = "max_tokens"  # noqa: S105
    takes_effort: bool = True


DEFAULT_TIMEOUT_S = 120.0  # of one attempt
OPENAI_URL = "https://api.openai.com/v1"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NAMED_HOST = re.compile(r"(\[[^\[\]]+\]|[^\[\]:]+)(:[0-9]*)?")
# Meant as an address, so it may be shown; anything else may be a key in the wrong place.
_MEANT_AS_ADDRESS = re.compile(r"\A(?:[a-z]*://|[\w.-]*:[0-9]{1,5}(/|$))")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_RESERVED = frozenset({"model", "messages", "stream", "n"})  # vcgen depends on them
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")  # RFC 9110, 5.1
_FRAMING = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-type"})
_JSON_MODES = {
    "auto": Structured.JSON_SCHEMA,
    "json_schema": Structured.JSON_SCHEMA,
    "json_object": Structured.JSON_OBJECT,
    "prompt": Structured.PROMPT,
}
JsonMode = Literal["auto", "json_schema", "json_object", "prompt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of an endpoint; None if unknown.

    Attributes:
        rpm: requests a minute.
        tpm: tokens a minute, input and output together.
        input_tpm, output_tpm: the same by themselves, where the endpoint counts them so; input read
            from its cache is not counted.
        concurrency: requests in flight; None goes by `rpm`, or else finds how many the endpoint is
            faster with.
        processes: number of processes that share the limits an endpoint announces; those given here
            are of this process alone.
    """

    rpm: int | None = None
    tpm: int | None = None
    input_tpm: int | None = None
    output_tpm: int | None = None
    concurrency: int | None = None
    processes: int = 1

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and value < 1:
                raise UsageError(f"{each.name} must be at least 1, not {value}")

    @property
    def rates(self) -> tuple[int | None, int | None, int | None, int | None]:
        """All that is counted by the minute."""
        return self.rpm, self.tpm, self.input_tpm, self.output_tpm

    @property
    def in_flight(self) -> int | None:
        """Requests to keep in flight: `concurrency`, or else ten seconds of `rpm`.

        None if neither is given: the number is searched for.
        """
        if self.concurrency is not None or self.rpm is None:
            return self.concurrency
        return min(1000, max(16, self.rpm // 6))

    @classmethod
    def combine(cls, limits: Sequence["Limits"]) -> "Limits":
        """The sum of several endpoints' limits; a rate is unknown if one endpoint's is."""

        def total(rates: Sequence[int | None]) -> int | None:
            known = [rate for rate in rates if rate is not None]
            return sum(known) if len(known) == len(rates) else None

        if len(limits) == 1:
            return limits[0]
        rpm, tpm, input_tpm, output_tpm = map(
            total, zip(*(each.rates for each in limits), strict=True)
        )
        return cls(
            rpm=rpm,
            tpm=tpm,
            input_tpm=input_tpm,
            output_tpm=output_tpm,
            concurrency=total([each.in_flight for each in limits]),
            processes=max(each.processes for each in limits),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server of chat completions and the model asked there.

    Attributes:
        model: its name.
        base_url: up to and including the version, e.g. `https://api.openai.com/v1`.
        deployment: this endpoint's name for the model, None if it is the same.
        key: sent as a bearer token; None sends none.
        price: US dollars a million tokens, of prompts and of replies; None looks it up.
        json_mode: how replies in JSON are asked for. `auto` begins with `json_schema` and steps
            down where the endpoint refuses it.
        limits: of this endpoint; None takes those of the engine.
        body: fields of requests, added last; those of the same name are replaced.
        headers: sent with each request; values are secret.
        query: parameters of the address.
        use_env_proxy: whether it is reached through the proxies that the environment names, if any;
            they are ignored otherwise.

    Raises:
        UsageError: invalid URL or key, or the key would be sent unencrypted.
    """

    model: str
    base_url: str = OPENAI_URL
    deployment: str | None = None
    key: SecretStr | None = None
    json_mode: JsonMode = "auto"
    price: tuple[float, float] | None = None
    limits: Limits | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, SecretStr] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    use_env_proxy: bool = False

    def __post_init__(self) -> None:
        if any(letter in self.base_url for letter in "@?#"):
            raise UsageError(
                "the base URL must carry no user, query or key; keys go into the environment"
            )
        if not _is_address(self.base_url):
            meant = _MEANT_AS_ADDRESS.match(self.base_url)
            shown = repr(self.base_url) if meant else "(not shown, as it may be a key)"
            raise UsageError(f"base URL {shown} is not an http or https address")
        parts = urlsplit(self.base_url)
        if self.key is not None:
            _require_key(self.key)
        _require_headers(self.headers)
        is_secret = self.key is not None or self.headers
        if is_secret and parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise UsageError(
                f"the key would travel unencrypted to {parts.hostname}: use https or unset the key"
            )
        if reserved := _RESERVED & self.body.keys():
            raise UsageError(f"body: {', '.join(sorted(reserved))} cannot be set there")
        if not self.model or self.deployment == "":
            raise UsageError("the model has no name")
        if self.json_mode not in _JSON_MODES:
            raise UsageError(f"JSON mode {self.json_mode!r}: choose {', '.join(_JSON_MODES)}")
        if self.price is not None and not all(0 <= dollars < inf for dollars in self.price):
            raise UsageError(f"price {self.price}: must be two numbers from 0")

    @property
    def served_model(self) -> str:
        """The model's name in requests."""
        return self.model if self.deployment is None else self.deployment

    @property
    def url(self) -> str:
        """The address requests are posted to."""
        base = self.base_url.rstrip("/").removesuffix("/chat/completions")
        query = f"?{urlencode(self.query)}" if self.query else ""
        return f"{base}/chat/completions{query}"

    @property
    def capabilities(self) -> Capabilities:
        """What to speak until the endpoint refuses it."""
        host = urlsplit(self.base_url).hostname or ""
        official = host.endswith(".openai.com")
        return Capabilities(
            structured=_JSON_MODES[self.json_mode],
            token_limit="max_completion_tokens" if official else "max_tokens",
        )

    @classmethod
    def from_environment(
        cls,
        model: str,
        *,
        base_url: str | None = None,
        key_variable: str = "OPENAI_API_KEY",
        json_mode: JsonMode = "auto",
        price: tuple[float, float] | None = None,
        use_env_proxy: bool = False,
        environment: Mapping[str, str] = os.environ,
    ) -> "Endpoint":
        """The endpoint that arguments and environment name.

        Args:
            base_url: None takes `OPENAI_BASE_URL`, then OpenAI's public API.
            key_variable: the environment variable that holds the key.

        Raises:
            UsageError: an https endpoint and no key, or as for `Endpoint`.
        """
        common = cls(model=model, json_mode=json_mode, price=price, use_env_proxy=use_env_proxy)
        keyless = EndpointSpec.from_environment(common, base_url, key_variable, environment)
        return keyless.with_key(environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSpec:
    """An endpoint without its key, as it may be written down and passed on.

    Attributes:
        endpoint: without its `key`.
        key_variable: the environment variable that holds the key, None if it needs none.
        header_variables: those that hold the values of headers, by header.
    """

    endpoint: Endpoint
    key_variable: str | None = None
    header_variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def limits(self) -> Limits:
        """The endpoint's limits."""
        return self.endpoint.limits or Limits()

    @classmethod
    def from_environment(
        cls,
        common: Endpoint,
        base_url: str | None,
        key_variable: str,
        environment: Mapping[str, str] = os.environ,
    ) -> "EndpointSpec":
        """`common` at the address that arguments and environment name; over http a key may lack."""
        url = base_url or environment.get("OPENAI_BASE_URL") or OPENAI_URL
        needed = url.startswith("https:") or environment.get(key_variable)
        return cls(
            endpoint=replace(common, base_url=url), key_variable=key_variable if needed else None
        )

    def with_key(self, environment: Mapping[str, str] = os.environ) -> Endpoint:
        """The endpoint, ready to be asked.

        Raises:
            UsageError: a variable that holds its key or a header is not set.
        """
        endpoint, variable = self.endpoint, self.key_variable
        if self.header_variables:
            headers = {
                name: SecretStr(_value_of(variable, environment, f"header {name}"))
                for name, variable in self.header_variables.items()
            }
            endpoint = replace(endpoint, headers=headers)
            if variable is None or not environment.get(variable):  # a header may be the key
                return endpoint
        if variable is None:
            if endpoint.base_url.startswith("https:"):
                raise UsageError(
                    f"no key for {endpoint.base_url}: name the variable that holds it, "
                    'key-env = "NAME"'
                )
            return endpoint
        key = environment.get(variable)
        if not key:
            shown = variable if _VARIABLE.fullmatch(variable) else "the variable that holds it"
            raise UsageError(
                f"no key for {endpoint.base_url}: set {shown}, or name another variable "
                "(--key-env, --judge-key-env, or key-env in the file of --endpoints); "
                "--model sim needs no key"
            )
        return replace(endpoint, key=SecretStr(key))


def _value_of(variable: str, environment: Mapping[str, str], what: str) -> str:
    if value := environment.get(variable):
        return value
    shown = variable if _VARIABLE.fullmatch(variable) else "the variable that holds it"
    raise UsageError(f"no value for the {what}: set {shown}")


def _require_headers(headers: Mapping[str, SecretStr]) -> None:
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _FRAMING:
            raise UsageError(f"the header {name!r} cannot be set")
        secret = value.get_secret_value()
        if not (secret.isascii() and secret.isprintable()):
            raise UsageError(f"the value of the header {name} has characters no header can carry")


def _require_key(key: SecretStr) -> None:
    if not isinstance(key, SecretStr):  # a plain text would be in every repr
        raise UsageError("the key must be a pydantic.SecretStr, which no repr shows")
    secret = key.get_secret_value()
    if not (secret.isascii() and secret.isprintable()) or " " in secret or not secret:
        raise UsageError(
            "the key is empty or has a space, a line end or a character that is not ASCII, as no "
            "key has; set it again without (it is not shown)"
        )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # `[::1].host.example` is one host to this parser and another to the next.
        named = bool(_NAMED_HOST.fullmatch(parts.netloc) and parts.hostname) and parts.port != 0
    except ValueError:  # an invalid port or an open bracket
        return False
    return named and parts.scheme in {"http", "https"} and url.isprintable() and " " not in url
