"""Endpoints as people write them down: what is understood, what refused, and where keys stay."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import SecretStr

from tests.support.canary import KEY
from tests.support.common import CLIPS, Command, Serving
from vcgen.cli.endpoint_specs import choose_endpoints, parse_file, parse_spec, read_endpoint
from vcgen.engine.budget import Budget
from vcgen.engine.config import Endpoint, EndpointSpec, Limits, together
from vcgen.errors import UsageError
from vcgen.pipeline.workers.protocol import WorkerSpec, decode, encode
from vcgen.sim import Simulator
from vcgen.tasks.recipe import Recipe

TYPED = "sk-typed-into-a-file-0123456789"  # the watch over files knows only the other
URL = "https://a.example/v1"
MODEL = Endpoint(model="writer-8b")
LOCAL = Endpoint(model="sim", base_url="http://127.0.0.1:9/v1")


def choose(*specs: str, common: Endpoint = MODEL) -> tuple[EndpointSpec, ...]:
    return choose_endpoints(specs, common, base_url=None, key_variable=None)


def refusal(*specs: str) -> str:
    with pytest.raises(UsageError) as raised:
        [each.with_key({}) for each in choose(*specs)]
    assert "\n" not in str(raised.value)
    return str(raised.value)


FULL = EndpointSpec(
    endpoint=Endpoint(
        model="writer-8b",
        base_url=URL,
        deployment="my-deployment",
        json_mode="json_object",
        price=(0.15, 0.6),
        limits=Limits(rpm=600, tpm=90_000, concurrency=32),
    ),
    key_variable="KEY_A",
)


def test_a_spec_and_a_table_say_the_same(tmp_path: Path) -> None:
    spec = (
        f"{URL},key-env=KEY_A,model=my-deployment,rpm=600,tpm=90000,concurrency=32,"
        "structured=json_object,price=0.15:0.60"
    )
    file = tmp_path / "endpoints.toml"
    file.write_text(
        f'[[endpoint]]\nurl = "{URL}"\nkey-env = "KEY_A"\nmodel = "my-deployment"\nrpm = 600\n'
        'tpm = 90_000\nconcurrency = 32\nstructured = "json_object"\nprice = [0.15, 0.60]\n'
        '[[endpoint]]\nurl = "http://127.0.0.1:8000/v1"\n'
    )
    assert choose(spec) == (FULL,)
    assert choose(str(file))[0] == FULL
    assert [each.endpoint.base_url for each in choose(str(file), URL)] == [
        URL,
        "http://127.0.0.1:8000/v1",
        URL,
    ]


def test_what_a_spec_leaves_out_is_as_for_all() -> None:
    limits = Limits(rpm=60, concurrency=8)
    common = Endpoint(model="m", json_mode="prompt", price=(1.0, 2.0), limits=limits)
    first, second = (each.endpoint for each in choose(f"{URL}, rpm=5", URL, common=common))
    assert first.limits == Limits(rpm=5, concurrency=8)
    assert second.limits == limits
    assert (first.json_mode, first.price, first.asked_for) == ("prompt", (1.0, 2.0), "m")


def test_without_specs_there_is_the_one_endpoint_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", URL)
    monkeypatch.setenv("OTHER", KEY)
    (one,) = choose_endpoints((), FULL.endpoint, base_url=None, key_variable="OTHER")
    assert (one.endpoint.base_url, one.endpoint.key, one.key_variable) == (URL, None, "OTHER")
    assert one.with_key().key == SecretStr(KEY)
    assert one.limits == FULL.limits


def test_a_key_goes_only_to_the_endpoint_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    environment = {"KEY_A": KEY, "OPENAI_API_KEY": KEY}
    named, local = choose(f"{URL},key-env=KEY_A", "http://127.0.0.1:8000/v1")
    assert named.with_key(environment).key == SecretStr(KEY)
    assert local.with_key(environment).key is None
    assert "name the variable that holds it, key-env=NAME" in refusal(URL)
    assert f"no key for {URL}: set KEY_A" in refusal(f"{URL},key-env=KEY_A")
    assert "set KEY_A" in refusal("http://127.0.0.1:8000/v1,key-env=KEY_A")


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        (f"{URL},rmp=5", "endpoint 1: there is no name 'rmp'; there are url, key-env, model"),
        (f"{URL},key_env=KEY_A", "there is no name 'key_env'"),
        (f"{URL},rpm=many", "endpoint 1: rpm must be a whole number, not 'many'"),
        (f"{URL},rpm=1.5", "'1.5'"),
        (f"{URL},rpm=", "rpm must be a whole number"),
        (f"{URL},tpm=0", "tpm must be at least 1, not 0"),
        (f"{URL},concurrency=-3", "concurrency must be a whole number"),
        (f"{URL},rpm=5,rpm=6", "each name once"),
        (f"{URL},url=https://b.example", "each name once"),
        (f"{URL},rpm", "URL,name=value"),
        (f"{URL},", "URL,name=value"),
        (f"{URL},price=1", "price '1': give two numbers"),
        (f"{URL},price=1:x", "price '1:x'"),
        (f"{URL},price=-1:2", "price"),
        (f"{URL},structured=yaml", "'yaml': choose auto, json_schema"),
        (f"{URL},model=", "the model has no name"),
        (f"{URL},model=sim", "'writer-8b' cannot be served as 'sim'"),
        (f"{URL},key-env=", "name of an environment variable"),
        ("https://", "endpoint 1: base URL 'https://' is not"),
        ("https://a.example:x/v1,rpm=5", "is not an http or https address"),
        ("a.example/v1", "--endpoint takes URL"),
        ("", "--endpoint takes URL"),
        ("missing.toml", "missing.toml cannot be read: No such file"),
    ],
)
def test_a_spec_that_cannot_be_understood_is_named_in_one_line(spec: str, named: str) -> None:
    assert named in refusal(spec)


@pytest.mark.parametrize(
    "spec",
    [
        KEY,
        f"{URL},{KEY}",
        f"{URL},{KEY}=",
        f"{URL},key={KEY}",
        f"{URL},api_key={KEY}",
        f"{URL},API-KEY={KEY}",
        f"{URL},token={KEY}",
        f"{URL},key-env={KEY}",
        f"{URL},key-env=OPENAI_API_KEY={KEY}",
        f"{URL} key={KEY}",
        f"{URL};key={KEY}",
        f"{URL}?key={KEY}",
        f"{URL}#{KEY}",
        f"https://me:{KEY}@a.example/v1",
        f"key={KEY},{URL}",
    ],
)
def test_what_may_be_a_key_is_refused_and_not_repeated(spec: str) -> None:
    assert "secret" not in refusal(spec)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "must hold [[endpoint]] tables"),
        ("[[endpoints]]\nurl = 'https://a.example'", "must hold [[endpoint]] tables"),
        ("[endpoint]\nurl = 'https://a.example'", "must hold [[endpoint]] tables"),
        ("endpoint = 3", "must hold [[endpoint]] tables"),
        ("rpm = 3\n[[endpoint]]\nurl = 'https://a.example'", "must hold [[endpoint]] tables"),
        ("[[endpoint", "is no TOML"),
        ("x = " + "[" * 5000, "is no TOML"),
        ("x = " + "9" * 5000, "is no TOML"),
        ("[[endpoint]]\nrpm = 3", "endpoint 1: the url is missing"),
        ("[[endpoint]]\nurl = 3", "endpoint 1: url must be a text, not 3"),
        ("[[endpoint]]\nurl = 'x'\nrpm = true", "rpm must be a whole number, not True"),
        ("[[endpoint]]\nurl = 'x'\nrpm = 5.0", "rpm must be a whole number, not 5.0"),
        ("[[endpoint]]\nurl = 'x'\nrpm = [1]", "rpm must be a whole number"),
        ("[[endpoint]]\nurl = 'x'\nprice = [1]", "price [1]: give two numbers"),
        ("[[endpoint]]\nurl = 'x'\nprice = 1", "price 1: give two numbers"),
        (f"[[endpoint]]\nurl = 'x'\nprice = [1{'0' * 400}, 1]", "give two numbers"),
        (f"[[endpoint]]\nurl = 'x'\ntpm = 1{'0' * 20}", "tpm must be a whole number"),
        ("[[endpoint]]\nurl = 'x'\nprice = ['a', 1]", "give two numbers"),
        (f"[[endpoint]]\nurl = 'x'\nkey = '{TYPED}'", "name its variable, key-env=NAME"),
        (f"[[endpoint]]\nurl = 'x'\nkey-env = '{TYPED}'", "name of an environment variable"),
        (f"[[endpoint]]\nurl = 'x'\n'{TYPED}' = 1", "there is no name; there are"),
    ],
)
def test_a_file_that_cannot_be_understood_is_named_in_one_line(
    tmp_path: Path, content: str, named: str
) -> None:
    file = tmp_path / "endpoints.toml"
    file.write_text(content)
    told = refusal(str(file))
    assert named in told
    assert TYPED not in told


def test_a_file_of_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "endpoints.toml").write_bytes(b"\xff\xfe")
    assert "endpoints.toml is no TOML" in refusal(str(tmp_path / "endpoints.toml"))
    (tmp_path / "directory.toml").mkdir()
    assert "directory.toml cannot be read" in refusal(str(tmp_path / "directory.toml"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
NAMES = st.text() | st.sampled_from(["url", "key-env", "model", "rpm", "price", "structured"])


@given(st.text(), st.dictionaries(NAMES, VALUES))
def test_whatever_is_written_it_is_an_endpoint_or_wrong_use(
    text: str, table: dict[str, Any]
) -> None:
    for fields in (lambda: parse_spec(URL + text), lambda: {"url": URL, **table}):
        try:
            assert read_endpoint(fields(), MODEL).endpoint.model == "writer-8b"
        except UsageError:
            continue


@given(st.text())
def test_a_file_is_tables_or_no_toml_or_wrong_use(content: str) -> None:
    with suppress(ValueError, UsageError):
        assert parse_file(content)


def test_limits_add_up_and_are_unknown_where_one_is() -> None:
    one, other = Limits(rpm=60, tpm=1000, concurrency=4), Limits(rpm=600, concurrency=10)
    assert together([one]) == one
    assert together([one, other]) == Limits(rpm=660, concurrency=14)
    assert together([Limits(rpm=600), Limits()]) == Limits()


def test_a_job_carries_endpoints_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_A", KEY)
    job = WorkerSpec(
        inputs=(CLIPS,),
        input_format="auto",
        speech=None,
        endpoints=(FULL, EndpointSpec(endpoint=LOCAL)),
        output=Path("run"),
        recipe=Recipe(tasks=("description",)),
        templates=None,
        timeout_s=1.0,
        hedge=False,
        budget=Budget(),
    )
    line = encode(job)
    assert KEY.encode() not in line
    told = decode(WorkerSpec, line)
    assert told.endpoints == job.endpoints
    assert told.recipe == job.recipe
    assert told.endpoints[0].with_key().key == SecretStr(KEY)
    shares = (Limits(rpm=1), Limits(tpm=2))
    assert told.limited(shares).limits == shares


@pytest.mark.parametrize("other", [("--base-url", URL), ("--api-key-env", "KEY_A")])
def test_endpoints_and_the_options_of_the_only_one_exclude_each_other(
    command: Command, tmp_path: Path, other: tuple[str, str]
) -> None:
    arguments = ("generate", CLIPS, "--model", "sim", "-o", tmp_path / "run")
    finished = command(*arguments, "--endpoint", LOCAL.base_url, *other)
    assert (finished.code, finished.out) == (2, "")
    assert finished.err.count("\n") == 1
    assert "--base-url and --api-key-env name the only endpoint" in finished.err
    assert not (tmp_path / "run").exists()


def test_wrong_endpoints_end_a_command_before_anything_is_sent(
    command: Command, serving: Serving, tmp_path: Path
) -> None:
    simulator = Simulator()
    good = serving(simulator)
    arguments = ("generate", CLIPS, "--model", "sim", "-o", tmp_path / "run", "--endpoint", good)
    for wrong, named in (
        (good, "given twice"),
        (f"{good},rpm=many", "endpoint 2: rpm"),
        (f"{good},key-env=NO_SUCH_KEY", "NO_SUCH_KEY"),
        (f"{good},key={KEY}", "stays in the environment"),
        ("https://api.openai.com/v1", "not to both"),
    ):
        for workers in (1, 2):
            finished = command(*arguments, "--endpoint", wrong, "--workers", workers)
            assert (finished.code, finished.out, finished.err.count("\n")) == (2, "", 1), wrong
            assert named in finished.err
            assert KEY not in finished.err
    assert not simulator.requests
    assert not (tmp_path / "run").exists()


def test_a_plan_goes_by_the_limits_of_all_endpoints(command: Command) -> None:
    arguments = ("plan", CLIPS, "--model", "m", "--price", "1,2")
    alone = command(*arguments, "--rpm", 90)
    two = (f"{URL},rpm=60", "--endpoint", "https://b.example/v1")
    assert command(*arguments, "--endpoint", *two, "--rpm", 30).out == alone.out
    assert "unknown" in command(*arguments, "--endpoint", *two).out
