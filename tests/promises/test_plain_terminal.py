"""A stranger's text is plain wherever it is shown: on the terminal, in errors and in the log."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest

from tests.support.common import CLIPS, Command, Serving
from vcgen.engine.config import Endpoint
from vcgen.engine.engine import Engine
from vcgen.engine.plain_text import plain, plain_lines
from vcgen.errors import RunStopped
from vcgen.sim import SimReply, Simulator, serve

KEY = "sk-secret-0123456789"
# A title, a colour, both as C1 and as ESC, a name read from right to left, a line that forges one.
HOSTILE = "\x1b]0;owned\x07\x1b[31m \x9b2J \u202egpj.exe\u2066 \u2028vcgen: all is well"
SHOWN = plain(HOSTILE)
BIDI = "\u202egpj.exe\u2066"  # all that the id of a clip may have of these


class Refusing(Simulator):
    """Refuses the key with a hostile message that repeats it."""

    def answer(self, headers: Mapping[str, str], body: bytes, now: float) -> SimReply:
        answer = super().answer(headers, body, now)
        error = {"error": {"message": f"{HOSTILE} {KEY}"}}
        return answer._replace(status=401, body=json.dumps(error).encode())


def generate(command: Command, base_url: str, run: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    asked = ("generate", CLIPS, "--model", "sim", "--base-url", base_url, "-o", run)
    finished = command(*asked)
    assert finished.code == 1
    return finished.err


def test_the_message_of_an_endpoint_is_plain_on_the_terminal(
    command: Command, serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    err = generate(command, serving(Refusing()), tmp_path / "run", monkeypatch)
    # A message is one line, so a line separator in it is a space.
    assert SHOWN.replace(r"\u2028", " ").replace("  ", " ") in err
    assert err == plain_lines(err)
    assert KEY not in err


def test_the_message_of_an_endpoint_is_plain_in_errors_and_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A library's user prints them."""
    caplog.set_level(logging.INFO, "vcgen")

    async def main() -> None:
        async with serve(Refusing()) as url, Engine(Endpoint(model="sim", base_url=url)) as engine:
            with pytest.raises(RunStopped) as raised:
                await engine.complete("Say hello.")
            assert plain(str(raised.value)) == str(raised.value)

    anyio.run(main)
    assert r"\x1b[31m" in caplog.text
    assert caplog.text == plain_lines(caplog.text)


@pytest.fixture
def hostile_file(tmp_path: Path) -> Path:
    """A file of clips with a hostile name; ids and videos of the clips are hostile too."""
    path = tmp_path / "clips\x1b[31m\u202e\n.jsonl"
    rows = [
        {"id": f"{BIDI}[red]{at}", "video": f"{BIDI}.mp4", "caption": f"Boat {at}."}
        for at in range(3)
    ]
    refused = {"id": HOSTILE, "caption": "A clip has no such id."}
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0], refused]), "utf-8")
    return path


def test_hostile_ids_and_names_are_plain_in_every_command(
    command: Command, tmp_path: Path, hostile_file: Path
) -> None:
    run = tmp_path / "run\x1b[2J\u202e\n"
    made = command("generate", hostile_file, "--model", "sim", "-o", run, "--tasks", "description")
    commands = [
        made,
        command("show", run),
        command("show", run, HOSTILE),
        command("check", run, "--clips", hostile_file),
        command("plan", hostile_file, "--model", "sim"),
        command("prompts", "describe", "--clip", hostile_file),
        command("report", run, "-o", tmp_path / "page\x1b.html", "--clips", hostile_file),
        command("export", run, "--format", "llava", "-o", tmp_path / "out\x9b.json"),
        command("card", run),
        command("retry", run),
        command("show", tmp_path / "no\x1b[31m\nrun"),
        command("generate", tmp_path / "no\x1b[31m\nfile", "--model", "sim", "-o", run),
        command("generate", "--\x1b[31m"),
    ]
    made_pages = commands[1].out
    assert made.code == 0
    for finished in commands:
        assert finished.out == plain_lines(finished.out)
        assert finished.err == plain_lines(finished.err)
        assert not any(line.startswith("vcgen: all is well") for line in finished.err.split("\n"))
    errors = [finished.err for finished in commands if finished.code == 2]
    assert len(errors) == 4
    assert all(error.count("\n") == 1 for error in errors)
    assert r"\u202egpj.exe\u2066[red]0/description/0   video \u202egpj.exe\u2066.mp4" in made_pages


def test_json_is_for_programs_and_escapes_control_characters(
    command: Command, tmp_path: Path, hostile_file: Path
) -> None:
    run = tmp_path / "run"
    made = command("generate", hostile_file, "--model", "sim", "-o", run, "--json")
    assert json.loads(made.out)["records"]
    assert "\x1b" not in made.out
