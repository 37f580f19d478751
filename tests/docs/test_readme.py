"""Whatever the documentation tells a reader to type is typed here."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from tests.support.canary import KEY
from vcgen import Clip
from vcgen.data.readers.read import FORMATS as INPUTS
from vcgen.datasets.export.export import FORMATS as EXPORTS
from vcgen.sim import ServerCapabilities, Simulator, serve

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands(program: str) -> list[list[str]]:
    lines = [
        shlex.split(line, comments=True) for block in blocks("sh") for line in block.split("\n")
    ]
    return [line for line in lines if line and line[0] == program]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where a reader stands: the examples, and clips of their own."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    shutil.copy(ROOT / "examples/clips.jsonl", tmp_path / "clips.jsonl")
    return tmp_path


@pytest.fixture
def endpoint() -> Iterator[str]:
    """A server that stands in for any model."""
    simulator = Simulator(behaviour=ServerCapabilities(model=""))
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serve(simulator)) as base_url,
    ):
        yield base_url


def environment(endpoint: str) -> dict[str, str]:
    keys = {"KEY_A": f"{KEY}-a", "KEY_B": f"{KEY}-b"}
    return {**os.environ, **keys, "OPENAI_BASE_URL": endpoint, "OPENAI_API_KEY": KEY}


def redirected(text: str, endpoint: str) -> str:
    """With all base URLs replaced."""
    return re.sub(r"https?://[^\s,\"]+/v1", endpoint, text)


def test_every_vcgen_command_of_the_readme_runs(directory: Path, endpoint: str) -> None:
    [endpoints] = blocks("toml")
    (directory / "endpoints.toml").write_text(redirected(endpoints, endpoint))
    for command in commands("vcgen"):
        if command[1] == "sim":
            continue
        local = [redirected(word, endpoint) for word in command]
        done = subprocess.run(
            [sys.executable, "-m", *local],
            cwd=directory,
            env=environment(endpoint),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)
    exported = json.loads((directory / "train.json").read_bytes())
    assert len(exported) == 12
    assert all(KEY.encode() not in path.read_bytes() for path in directory.rglob("*.json*"))


def test_the_simulator_command_of_the_readme_serves_until_interrupted() -> None:
    [command] = [command for command in commands("vcgen") if command[1] == "sim"]
    command[command.index("8099")] = "0"
    with subprocess.Popen(
        [sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130


def test_the_python_of_the_readme_runs(directory: Path) -> None:
    [program] = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "12 records, 0 rejects" in done.stdout
    assert "dog/description/0" in done.stdout


def test_the_clip_of_the_readme_is_a_clip() -> None:
    [text] = blocks("json")
    assert Clip.model_validate_json(text).segments[1].source == "speech"


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert [command[1] for command in commands("make")] == ["demo", "test"]
    for _, target, *_ in commands("make"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_documented_formats_are_the_ones_there_are() -> None:
    documented = re.findall(
        r"^\| `([a-z-]+)` \|", (ROOT / "docs/inputs.md").read_text(), re.MULTILINE
    )
    assert [name for name in documented if name in INPUTS] == list(INPUTS)
    assert all(name in README for name in EXPORTS)


def test_links_of_the_documentation_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            assert link.startswith("https://") or (page.parent / link).exists(), (page.name, link)
