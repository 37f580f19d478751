"""A key is shown by nothing: no record, no reject, no message, no log, no traceback, no repr.

`canary.py` watches over all other tests for the same. Here is what only a hostile or a clumsy
endpoint does, and what only a program that logs everything sees.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import run
from typing import Any
from zlib import crc32

import orjson
import pytest
from pydantic import SecretStr

from tests.support.canary import KEY, MARK, files_with_key, is_in, watched
from tests.support.common import CLIPS, ROOT, Command, Serving, lines_of
from vcgen.engine.config import Endpoint
from vcgen.engine.endpoint_client import HIDDEN
from vcgen.engine.transport.http1 import require_headers
from vcgen.errors import UsageError
from vcgen.sim import SimReply, Simulator

LONG = "x" * 480


class Repeating(Simulator):
    """An endpoint that repeats the key it was sent, for each prompt in another way."""

    def answer(self, headers: Mapping[str, str], body: bytes, now: float) -> SimReply:
        answer = super().answer(headers, body, now)
        key = headers["authorization"].removeprefix("Bearer ")
        # The second is cut short in the middle of the key.
        number = crc32(body)
        said = [f"bad key {key}", f"{LONG} {key}", "none"][number % 3]
        if number % 3 == 2:
            said_of_text = answer.body.replace(b" a ", b" %b " % key.encode())
            return answer._replace(body=said_of_text.replace(b'"sim"', b'"sim %b"' % key.encode()))
        refusal = {"error": {"message": said, "code": f"{key} {number}", "type": key}}
        return answer._replace(status=400, body=orjson.dumps(refusal))


@pytest.mark.parametrize("workers", [1, 2])
def test_key_that_the_endpoint_repeats_is_in_no_file(
    command: Command, serving: Serving, tmp_path: Path, workers: int
) -> None:
    where = ("--model", "sim", "--base-url", serving(Repeating()), "-o", tmp_path)
    tasks = ("--tasks", "description", "--no-refine")
    finished = command("generate", CLIPS, *where, "--workers", workers, *tasks)
    assert finished.code == 0
    written = [lines_of(path) for path in sorted(tmp_path.glob("[cr]*.jsonl"))]
    shown = [line for lines in written for line in lines if HIDDEN in line]
    assert any('"reason"' in line for line in shown)
    assert any('"reason"' not in line for line in shown)
    assert not files_with_key(tmp_path)


@pytest.mark.parametrize("key", [f'{KEY}/a"b\\c', f"{KEY}/a/b"])
def test_a_key_is_known_however_json_writes_it(
    command: Command,
    serving: Serving,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
) -> None:
    class Escaping(Simulator):
        def answer(self, headers: Mapping[str, str], body: bytes, now: float) -> SimReply:
            answer = super().answer(headers, body, now)
            error = {"message": LONG + key, "code": f"refusal {self.requests}"}
            said = orjson.dumps({"error": error})
            return answer._replace(status=400, body=said.replace(b"/", b"\\/"))

    monkeypatch.setenv("OPENAI_API_KEY", key)
    where = ("--model", "sim", "--base-url", serving(Escaping()), "-o", tmp_path)
    assert command("generate", CLIPS, *where).code == 4
    assert not files_with_key(tmp_path)


def test_a_short_key_is_a_word_that_texts_may_hold(
    command: Command, serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a")
    where = ("--model", "sim", "--base-url", serving(Simulator()), "-o", tmp_path)
    assert command("generate", CLIPS, *where).code == 0
    assert not [line for line in lines_of(tmp_path / "records.jsonl") if HIDDEN in line]


LOUD = """
import logging, sys, traceback, vcgen
logging.basicConfig(level=logging.DEBUG)
for use_env_proxy in (False, True):
    for url in sys.argv[2:]:
        endpoint = vcgen.Endpoint.from_environment("sim", base_url=url, use_env_proxy=use_env_proxy)
        print(endpoint, repr([endpoint]), vars(sys.modules["vcgen.engine.config"]))
        try:
            vcgen.run(sys.argv[1], model=endpoint, tasks=["description"])
        except vcgen.VcgenError as error:
            print(repr(error), error.args)
            traceback.print_exc()
"""


def test_a_program_that_logs_everything_shows_no_key(serving: Serving) -> None:
    urls = [serving(simulator) for simulator in (Simulator(), Simulator(key="another"))]
    told = run(
        [sys.executable, "-X", "dev", "-c", LOUD, CLIPS, *urls],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "DEBUG:httpcore" in told.stderr
    assert "Traceback" in told.stderr
    assert not is_in(told.stdout + told.stderr)


@pytest.mark.parametrize(
    "key", ["", " ", f" {KEY}", f"{KEY} ", f"{KEY[:8]} {KEY[8:]}", f"{KEY}\n", f"{KEY}\r\nx: y"]
)
def test_key_with_spaces_or_line_ends_is_not_shown(key: str) -> None:
    with pytest.raises(UsageError, match="not shown") as raised:
        Endpoint(model="m", key=SecretStr(key))
    assert "\n" not in str(raised.value)
    assert not is_in(str(raised.value))


def test_a_key_that_is_a_plain_text_is_wrong_use() -> None:
    plain: Any = KEY
    with pytest.raises(UsageError, match="SecretStr") as raised:
        Endpoint(model="m", key=plain)
    assert not is_in(str(raised.value))


def test_a_header_no_line_can_carry_is_named_without_its_value() -> None:
    with pytest.raises(UsageError, match="'authorization'") as raised:
        require_headers({"authorization": f"{KEY}\r\nx: y"})
    assert not is_in(str(raised.value))


def test_the_watch_sees_a_key_in_what_is_captured_and_in_files(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="the key is in"):
        watched(lambda: ("out", f"error: {KEY}"))()
    (tmp_path / "big").write_bytes(b"x" * ((1 << 20) - 3) + KEY.encode())
    assert files_with_key(tmp_path) == ["big"]
    (tmp_path / "big").unlink()


LEAKING = """
import logging
from canary import KEY
def test_log(): logging.getLogger("httpcore").debug("sent %s", KEY)
def test_traceback():
    try: raise ValueError(KEY)
    except ValueError: logging.exception("failed")
def test_output(): print(KEY)
def test_clean(): logging.debug("nothing")
def test_file(tmp_path): (tmp_path / "file").write_text(KEY)
"""


def test_watch_sees_a_key_in_logs_output_and_files(tmp_path: Path) -> None:
    # Another key than ours, or the watch over this test would see it too.
    watch = (ROOT / "tests" / "support" / "canary.py").read_text("utf-8").replace(MARK, "sk-inner")
    (tmp_path / "canary.py").write_text(watch)
    (tmp_path / "pytest.ini").write_text("[pytest]\nlog_level = DEBUG\n")
    (tmp_path / "test_leaking.py").write_text(LEAKING)
    plain = ("-p", "canary", "-p", "no:xdist", "-p", "no:cacheprovider", "--basetemp", "base")
    told = run(
        [sys.executable, "-m", "pytest", "-q", *plain],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 failed, 2 passed, 1 error" in told.stdout
