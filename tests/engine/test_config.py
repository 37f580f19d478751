"""What may be configured, what is refused with one line, and where the key stays."""

import dataclasses
from typing import Any

import pytest
from pydantic import SecretStr

from tests.support.canary import KEY
from vcgen.engine.config import OPENAI_URL, Capabilities, Endpoint, Limits, Structured
from vcgen.errors import UsageError


def test_the_environment_names_the_endpoint_and_its_key() -> None:
    known = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "https://host.example/v1", "OTHER": "k2"}
    endpoint = Endpoint.from_environment("m", environment=known)
    assert endpoint.key == SecretStr(KEY)
    assert endpoint.url == "https://host.example/v1/chat/completions"
    other = Endpoint.from_environment("m", key_variable="OTHER", environment=known)
    assert other.key == SecretStr("k2")
    given = Endpoint.from_environment("m", base_url="https://b.example", environment=known)
    assert given.base_url == "https://b.example"


def test_no_key_for_a_public_endpoint_names_the_variable() -> None:
    with pytest.raises(UsageError, match="MY_KEY"):
        Endpoint.from_environment("m", key_variable="MY_KEY", environment={"MY_KEY": ""})


def test_local_endpoint_needs_no_key() -> None:
    local = {"OPENAI_BASE_URL": "http://127.0.0.1:8000/v1"}
    assert Endpoint.from_environment("m", environment=local).key is None


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "host.example/v1",
        "ftp://host.example",
        "https://",
        "https://[::1",
        "https://host.example:port/v1",
        "https://host.example:99999/v1",
        "https://host example/v1",
        "https://host.example/v1\n",
    ],
)
def test_what_is_no_address_is_refused_by_name(base_url: str) -> None:
    with pytest.raises(UsageError, match="is not an http or https address"):
        Endpoint(model="m", base_url=base_url)


@pytest.mark.parametrize(
    "base_url",
    [
        f"https://user:{KEY}@host.example/v1",
        f"user:{KEY}@host.example/v1",
        f"https://host.example/v1?key={KEY}",
        f"https://host.example/v1#{KEY}",
    ],
)
def test_a_key_in_the_address_is_refused_and_not_repeated(base_url: str) -> None:
    with pytest.raises(UsageError) as raised:
        Endpoint(model="m", base_url=base_url)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("key", [KEY + "\n", KEY + "\u00e9", "\x00" + KEY])
def test_a_key_no_header_can_carry_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(UsageError) as raised:
        Endpoint(model="m", key=SecretStr(key))
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a_key_travels_unencrypted_on_this_machine_only(host: str) -> None:
    assert Endpoint(model="m", base_url=f"http://{host}:8000/v1", key=SecretStr(KEY)).key
    with pytest.raises(UsageError, match="unencrypted"):
        Endpoint(model="m", base_url="http://host.example/v1", key=SecretStr(KEY))


def test_the_key_is_in_no_repr() -> None:
    endpoint = Endpoint(model="m", key=SecretStr(KEY))
    assert KEY not in f"{endpoint!r} {endpoint} {dataclasses.asdict(endpoint)}"


@pytest.mark.parametrize("end", ["", "/", "/chat/completions", "/chat/completions/"])
def test_requests_are_posted_below_the_base_url(end: str) -> None:
    assert Endpoint(model="m", base_url=OPENAI_URL + end).url == OPENAI_URL + "/chat/completions"


def test_capabilities_start_strict_and_follow_the_host() -> None:
    official, other = Endpoint(model="m"), Endpoint(model="m", base_url="http://localhost")
    assert official.capabilities == Capabilities(Structured.JSON_SCHEMA, "max_completion_tokens")
    assert other.capabilities == Capabilities(Structured.JSON_SCHEMA, "max_tokens")
    fixed = Endpoint(model="m", json_mode="prompt")
    assert fixed.capabilities.structured is Structured.PROMPT


@pytest.mark.parametrize("fields", [{"model": ""}, {"model": "m", "json_mode": "yaml"}])
def test_a_nameless_model_and_an_unknown_format_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Endpoint(**fields)


@pytest.mark.parametrize("name", ["rpm", "tpm", "concurrency"])
def test_a_limit_is_at_least_one(name: str) -> None:
    for value in (0, -5):
        with pytest.raises(UsageError, match=f"{name} must be at least 1, not {value}"):
            Limits(**{name: value})


def test_requests_in_flight_follow_the_rate_unless_given() -> None:
    assert Limits().in_flight is None
    assert Limits(rpm=6).in_flight == 16
    assert Limits(rpm=3000).in_flight == 500
    assert Limits(rpm=60_000).in_flight == 1000
    assert Limits(rpm=60_000, concurrency=7).in_flight == 7
