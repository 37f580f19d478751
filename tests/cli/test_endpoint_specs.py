"""Endpoints in a file: what is understood, what refused, and where keys stay."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import SecretStr, ValidationError

from tests.support.canary import KEY
from tests.support.common import CLIPS, Command, Serving
from tests.support.endpoints import write_endpoints
from vcgen.cli.endpoint_specs import _Table, parse_endpoints, parse_price, read_endpoints
from vcgen.engine.budget import Budget
from vcgen.engine.config import Endpoint, EndpointSpec, Limits
from vcgen.errors import UsageError
from vcgen.pipeline.workers.protocol import WorkerSpec, decode, encode
from vcgen.sim import Simulator
from vcgen.tasks.recipe import Recipe

TYPED = "sk-typed-into-a-file-0123456789"  # the watch over files knows only the other
URL = "https://a.example/v1"
MODEL = Endpoint(model="writer-8b")
LOCAL = Endpoint(model="sim", base_url="http://127.0.0.1:9/v1")


def refusal(content: str) -> str:
    with pytest.raises(UsageError) as raised:
        [spec.with_key({}) for spec in parse_endpoints(content, MODEL)]
    assert "\n" not in str(raised.value)
    return str(raised.value)


def table(**fields: str) -> str:
    """One table of TOML values at an address; `_` in a name stands for `-`."""
    known = {"base-url": f"'{URL}'"}
    lines = known | {name.replace("_", "-"): value for name, value in fields.items()}
    return "\n".join(["[[endpoint]]", *(f"{name} = {value}" for name, value in lines.items())])


FULL = EndpointSpec(
    endpoint=Endpoint(
        model="writer-8b",
        base_url=URL,
        deployment="my-deployment",
        json_mode="json_object",
        price=(0.15, 0.6),
        limits=Limits(rpm=600, tpm=90_000, input_tpm=80_000, output_tpm=10_000, concurrency=32),
    ),
    key_variable="KEY_A",
)


def test_every_field_of_a_table_is_read(tmp_path: Path) -> None:
    file = tmp_path / "endpoints.toml"
    file.write_text(
        f'[[endpoint]]\nbase-url = "{URL}"\nkey-env = "KEY_A"\ndeployment = "my-deployment"\n'
        "rpm = 600\ntpm = 90_000\ninput-tpm = 80_000\noutput-tpm = 10_000\nconcurrency = 32\n"
        'json-mode = "json_object"\nprice = [0.15, 0.60]\n'
        '[[endpoint]]\nbase-url = "http://127.0.0.1:8000/v1"\n'
    )
    first, second = read_endpoints(file, MODEL)
    assert first == FULL
    assert second.endpoint.base_url == "http://127.0.0.1:8000/v1"


def test_a_table_takes_missing_fields_from_the_command_line() -> None:
    limits = Limits(rpm=60, concurrency=8)
    common = Endpoint(model="m", json_mode="prompt", price=(1.0, 2.0), limits=limits)
    both = parse_endpoints(f"{table(rpm='5')}\n{table()}", common)
    first, second = (spec.endpoint for spec in both)
    assert first.limits == Limits(rpm=5, concurrency=8)
    assert second.limits == limits
    assert (first.json_mode, first.price, first.served_model) == ("prompt", (1.0, 2.0), "m")


def test_a_key_goes_only_to_the_endpoint_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    environment = {"KEY_A": KEY, "OPENAI_API_KEY": KEY}
    local_url = "'http://127.0.0.1:8000/v1'"
    named_table, local_table = table(key_env="'KEY_A'"), table(base_url=local_url)
    named, local = parse_endpoints(f"{named_table}\n{local_table}", MODEL)
    assert named.with_key(environment).key == SecretStr(KEY)
    assert local.with_key(environment).key is None
    assert "name the variable that holds it, key-env" in refusal(table())
    assert f"no key for {URL}: set KEY_A" in refusal(table(key_env="'KEY_A'"))
    assert "set KEY_A" in refusal(table(base_url=local_url, key_env="'KEY_A'"))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "must hold [[endpoint]] tables"),
        ("[[endpoints]]\nbase-url = 'https://a.example'", "must hold [[endpoint]] tables"),
        ("[endpoint]\nbase-url = 'https://a.example'", "must hold [[endpoint]] tables"),
        ("endpoint = 3", "must hold [[endpoint]] tables"),
        ("endpoint = [3]", "must hold [[endpoint]] tables"),
        (f"rpm = 3\n{table()}", "must hold [[endpoint]] tables"),
        ("[[endpoint]]\nrpm = 3", "endpoint 1: base-url: Field required"),
        (f"{table()}\n[[endpoint]]", "endpoint 2: base-url: Field required"),
        (table(base_url="3"), "endpoint 1: base-url: Input should be a valid string"),
        (table(base_url="'https://'"), "endpoint 1: base URL 'https://' is not"),
        (table(base_url="'https://a.example:x/v1'"), "is not an http or https address"),
        (table(rmp="5"), "endpoint 1: unknown name 'rmp'; choose from base-url, key-env, depl"),
        (table(model="'x'"), "unknown name 'model'; choose from"),
        (table(url="'x'"), "unknown name 'url'; choose from"),
        (table(rpm="'many'"), "endpoint 1: rpm: Input should be a valid integer"),
        (table(rpm="true"), "rpm: Input should be a valid integer"),
        (table(rpm="5.0"), "rpm: Input should be a valid integer"),
        (table(tpm="0"), "tpm: Input should be greater than or equal to 1"),
        (table(tpm=f"1{'0' * 20}"), "tpm: Input should be"),
        (table(price="[1]"), "price: List should have at least 2 items"),
        (table(price="1"), "price: Input should be a valid list"),
        (table(price="['a', 1]"), "price: Input should be a valid number"),
        (table(price="[-1, 2]"), "price"),
        (table(price=f"[1{'0' * 400}, 1]"), "price"),
        (table(json_mode="'yaml'"), "json-mode: Input should be 'auto', 'json_schema'"),
        (table(deployment="''"), "the model has no name"),
        (table(deployment="'sim'"), "'writer-8b' cannot be served as 'sim'"),
        (table(key_env="''"), "key-env: must be the name of an environment variable"),
    ],
)
def test_a_wrong_table_is_named_in_one_line(content: str, named: str) -> None:
    assert named in refusal(content)


@pytest.mark.parametrize(
    "content",
    [
        table(key=f"'{TYPED}'"),
        table(api_key=f"'{TYPED}'"),
        table(token=f"'{TYPED}'"),
        table(key_env=f"'{TYPED}'"),
        table(key_env=f"'OPENAI_API_KEY={TYPED}'"),
        table(base_url=f"'{TYPED}'"),
        table(base_url=f"'{URL} key={TYPED}'"),
        table(base_url=f"'{URL};key={TYPED}'"),
        table(base_url=f"'{URL}?key={TYPED}'"),
        table(base_url=f"'{URL}#{TYPED}'"),
        table(base_url=f"'https://me:{TYPED}@a.example/v1'"),
        table(rpm=f"'{TYPED}'"),
        table(price=f"['{TYPED}', 1]"),
        table(json_mode=f"'{TYPED}'"),
        f"{table()}\n'{TYPED}' = 1",
        f"'{TYPED}' = 1",
        f"[{TYPED}]",
    ],
)
def test_a_possible_key_is_refused_and_not_repeated(content: str) -> None:
    assert TYPED not in refusal(content)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"[[endpoint", "is not valid TOML"),
        (b"x = " + b"[" * 5000, "is not valid TOML"),
        (b"x = " + b"9" * 5000, "is not valid TOML"),
        (b"\xff\xfe", "is not valid TOML"),
        (b"rpm = 3", "must hold [[endpoint]] tables"),
    ],
)
def test_an_error_names_the_file(tmp_path: Path, content: bytes, named: str) -> None:
    file = tmp_path / "endpoints.toml"
    file.write_bytes(content)
    with pytest.raises(UsageError) as raised:
        read_endpoints(file, MODEL)
    assert str(file) in str(raised.value)
    assert named in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "missing.toml", "No such file"), (tmp_path, "directory")):
        with pytest.raises(UsageError, match=f"cannot read {path}: .*{reason}"):
            read_endpoints(path, MODEL)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
NAMES = st.text() | st.sampled_from(["base-url", "key-env", "deployment", "rpm", "price"])


@given(st.dictionaries(NAMES, VALUES))
def test_any_table_is_an_endpoint_or_refused(fields: dict[str, Any]) -> None:
    with suppress(UsageError, ValidationError):
        spec = _Table.model_validate({"base-url": URL, **fields}).spec(MODEL)
        assert spec.endpoint.model == "writer-8b"


@given(st.text())
def test_any_file_is_tables_or_invalid_or_refused(content: str) -> None:
    with suppress(ValueError, UsageError):
        assert parse_endpoints(content, MODEL)


@pytest.mark.parametrize("text", ["1", "1:2", "1,x", "1,2,3", ""])
def test_a_price_is_two_numbers(text: str) -> None:
    assert parse_price("0.15,0.60") == (0.15, 0.6)
    with pytest.raises(UsageError, match="give two numbers such as"):
        parse_price(text)


def test_limits_add_up_and_are_unknown_where_one_is() -> None:
    one, other = Limits(rpm=60, tpm=1000, concurrency=4), Limits(rpm=600, concurrency=10)
    assert Limits.combine([one]) == one
    assert Limits.combine([one, other]) == Limits(rpm=660, concurrency=14)
    assert Limits.combine([Limits(rpm=600), Limits()]) == Limits()


def test_a_worker_spec_carries_endpoints_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_A", KEY)
    spec = WorkerSpec(
        inputs=(CLIPS,),
        input_format="auto",
        transcripts=None,
        endpoints=(FULL, EndpointSpec(endpoint=LOCAL)),
        output=Path("run"),
        recipe=Recipe(tasks=("description",)),
        templates=None,
        timeout_s=1.0,
        hedge=False,
        budget=Budget(),
    )
    line = encode(spec)
    assert KEY.encode() not in line
    received = decode(WorkerSpec, line)
    assert received.endpoints == spec.endpoints
    assert received.recipe == spec.recipe
    assert received.endpoints[0].with_key().key == SecretStr(KEY)
    limits = (Limits(rpm=1), Limits(tpm=2))
    assert received.with_limits(limits).limits == limits


@pytest.mark.parametrize(
    "other", [("--base-url", URL), ("--key-env", "KEY_A"), ("--header", "x-team=TEAM")]
)
def test_endpoints_exclude_the_options_of_a_single_one(
    command: Command, tmp_path: Path, other: tuple[str, str]
) -> None:
    file = write_endpoints(tmp_path / "endpoints.toml", {"base-url": LOCAL.base_url})
    arguments = ("generate", CLIPS, "--model", "sim", "-o", tmp_path / "run")
    finished = command(*arguments, "--endpoints", file, *other)
    assert (finished.code, finished.out) == (2, "")
    assert finished.err.count("\n") == 1
    assert "--base-url, --key-env and --header describe a single endpoint" in finished.err
    assert not (tmp_path / "run").exists()


def test_wrong_endpoints_end_a_command_before_anything_is_sent(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    simulator = Simulator()
    good = {"base-url": serving(simulator)}
    file = tmp_path / "endpoints.toml"
    arguments = ("generate", CLIPS, "--model", "sim", "-o", tmp_path / "run", "--endpoints", file)
    for wrong, named in (
        (good, "given twice"),
        ({**good, "rpm": "many"}, "endpoint 2: rpm"),
        ({**good, "key-env": "NO_SUCH_KEY"}, "NO_SUCH_KEY"),
        ({**good, "key": TYPED}, "stay in the environment"),
        ({"base-url": "https://api.openai.com/v1"}, "not to both"),
    ):
        write_endpoints(file, good, wrong)
        for workers in (1, 2):
            finished = command(*arguments, "--workers", workers)
            assert (finished.code, finished.out, finished.err.count("\n")) == (2, "", 1), wrong
            assert named in finished.err
            assert TYPED not in finished.err
    assert not simulator.requests
    assert not (tmp_path / "run").exists()


def test_a_plan_goes_by_the_limits_of_all_endpoints(command: Command, tmp_path: Path) -> None:
    arguments = ("plan", CLIPS, "--model", "m", "--price", "1,2")
    alone = command(*arguments, "--rpm", 90)
    file = write_endpoints(
        tmp_path / "two.toml", {"base-url": URL, "rpm": 60}, {"base-url": "https://b.example/v1"}
    )
    several = (*arguments, "--endpoints", file)
    assert command(*several, "--rpm", 30).out == alone.out
    assert "unknown" in command(*several).out


def test_fields_headers_and_parameters_of_ones_own_are_read() -> None:
    content = table(
        body="{top_p = 0.9, provider = {order = ['a']}}",
        headers="{api-key = 'GATEWAY_KEY'}",
        query="{api-version = '2026-10-01'}",
    )
    (spec,) = parse_endpoints(content, MODEL)
    assert spec.endpoint.body == {"top_p": 0.9, "provider": {"order": ["a"]}}
    assert spec.endpoint.url == f"{URL}/chat/completions?api-version=2026-10-01"
    endpoint = spec.with_key({"GATEWAY_KEY": TYPED})
    assert endpoint.headers["api-key"].get_secret_value() == TYPED
    assert TYPED not in repr(endpoint)
    with pytest.raises(UsageError, match="no value for the header api-key: set GATEWAY_KEY"):
        spec.with_key({})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"headers": f"{{api-key = '{TYPED}'}}"}, "must be the name of an environment variable"),
        ({"body": "{messages = []}"}, "body: messages cannot be set there"),
        ({"body": "3"}, "body: Input should be a valid dict"),
    ],
)
def test_wrong_fields_of_ones_own_are_refused(fields: dict[str, str], words: str) -> None:
    message = refusal(table(key_env="'KEY_A'", **fields))
    assert words in message
    assert TYPED not in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--body", "[1]"), "--body: give a JSON object"),
        (("--body", '{"stream": true}'), "body: stream cannot be set there"),
        (("--header", "x-team"), "--header: give NAME=VALUE"),
        (("--header", f"x-team={TYPED}"), "give the name of an environment variable"),
        (("--header", "x-team=NOT_SET_AT_ALL"), "no value for the header x-team"),
        (("--header", "host=PATH"), "the header 'host' cannot be set"),
        (("--query", "a"), "--query: give NAME=VALUE"),
    ],
)
def test_wrong_options_of_ones_own_are_one_line(
    command: Command, tmp_path: Path, arguments: tuple[str, str], words: str
) -> None:
    known = ("--model", "writer", "--base-url", LOCAL.base_url, "-o", tmp_path / "run")
    finished = command("generate", CLIPS, *known, *arguments)
    assert (finished.code, finished.err.count("\n")) == (2, 1)
    assert words in finished.err
    assert TYPED not in finished.err


def test_fields_of_ones_own_are_part_of_the_run(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    known = ("--model", "sim", "--base-url", serving(Simulator()), "-o", tmp_path / "run")
    first = command("generate", CLIPS, *known, "--body", '{"top_p": 0.9}', "--query", "a=1 2")
    assert first.code == 0
    second = command("generate", CLIPS, *known, "--body", '{"top_p": 0.8}')
    assert second.code == 2
    assert "body.top_p was 0.9, is 0.8" in second.err
