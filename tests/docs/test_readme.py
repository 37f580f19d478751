"""Every command and program of the README and of the pages that guide a user runs as it is."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from tests.support.canary import KEY
from tests.support.common import ROOT, Command
from tests.support.doc_pages import PAGES, README, blocks, commands, redirected
from vcgen import Clip
from vcgen.data.readers.read import FORMATS as INPUTS
from vcgen.datasets.export import FORMATS as EXPORTS
from vcgen.sim import ServerCapabilities, Simulator, serve

QUICKSTART = ROOT / "docs/quickstart.md"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's working directory: the examples, and clips of their own."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    shutil.copy(ROOT / "examples/clips.jsonl", tmp_path / "clips.jsonl")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def endpoint(command: Command, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that stands in for any model, and the keys a reader would have set."""
    simulator = Simulator(behaviour=ServerCapabilities(model=""))
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serve(simulator)) as base_url,
    ):
        keys = {"KEY_A": f"{KEY}-a", "KEY_B": f"{KEY}-b", "OPENAI_API_KEY": KEY}
        for name, value in {**keys, "OPENAI_BASE_URL": base_url}.items():
            monkeypatch.setenv(name, value)
        yield base_url


@pytest.mark.parametrize("page", [README, QUICKSTART], ids=lambda page: page.stem)
def test_every_vcgen_command_of_a_guide_runs(
    page: Path, directory: Path, endpoint: str, command: Command
) -> None:
    for content in blocks(page, "toml"):
        (directory / "endpoints.toml").write_text(redirected(content, endpoint))
    lines = [line for line in commands(page, "vcgen") if line[0] != "sim"]
    assert len(lines) > 5
    for line in lines:
        if "--max-cost" in line:  # only the prices of real endpoints are known
            line += ["--price", "0.15,0.60"]
        done = command(*(redirected(word, endpoint) for word in line))
        assert done.code == 0, (line, done.err)
    exported = json.loads((directory / "train.json").read_bytes())
    assert len(exported) == 12
    assert all(KEY.encode() not in path.read_bytes() for path in directory.rglob("*.json*"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_option_a_page_names_exists(page: Path, command: Command) -> None:
    """Also in prose: an option between back quotes, alone or with its value."""
    options = set(re.findall(r"`(--[a-z][a-z-]+)(?:[ =][^`]*)?`", page.read_text("utf-8")))
    helped = set[str]()
    for name in ("generate", "plan", "check", "export", "show", "report", "card", "prompts", "sim"):
        helped |= set(re.findall(r"--[a-z][a-z-]+", command(name, "--help").out))
    of_others = {"--quick", "--real-time", "--dataset", "--help"}  # benchmarks, a trainer
    if page.stem != "CHANGELOG":  # which also names options that are gone
        assert not options - helped - of_others


def test_the_simulator_serves_until_interrupted() -> None:
    [line] = [line for line in commands(QUICKSTART, "vcgen") if line[0] == "sim"]
    line[line.index("8099")] = "0"
    with subprocess.Popen(
        [sys.executable, "-m", "vcgen", *line], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130


@pytest.mark.parametrize(
    ("page", "expected"),
    [(README, ["12 records, 0 rejects", "dog/description/0"]), (QUICKSTART, ["dog/headline/0"])],
    ids=["README", "quickstart"],
)
def test_the_python_of_a_guide_runs(page: Path, expected: list[str], directory: Path) -> None:
    [program] = blocks(page, "python")
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert all(words in done.stdout for words in expected), done.stdout


def test_the_clip_of_the_quickstart_is_a_clip() -> None:
    [text] = blocks(QUICKSTART, "json")
    assert Clip.model_validate_json(text).segments[1].source == "speech"


def test_make_targets_of_the_pages_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert [words[0] for words in commands(README, "make")] == ["demo", "test"]
    for page in PAGES:
        text = page.read_text("utf-8")
        for target in re.findall(r"(?:^ +|`)make ([a-z-]+)", text, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), (page.name, target)


def test_documented_formats_are_those_of_the_code() -> None:
    page = (ROOT / "docs/inputs.md").read_text("utf-8")
    documented = re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)
    assert [name for name in documented if name in INPUTS] == list(INPUTS)
    exports = (ROOT / "docs/exports.md").read_text("utf-8")
    assert all(f"`{name}`" in exports for name in EXPORTS)


def test_links_of_the_documentation_lead_somewhere() -> None:
    for page in PAGES:
        for link, anchor in re.findall(r"\]\(([^)#]*)(#[^)]+)?\)", page.read_text("utf-8")):
            if link.startswith("https://"):
                continue
            target = page.parent / link if link else page
            assert target.exists(), (page.name, link)
            if anchor:
                assert anchor in anchors(target), (page.name, link, anchor)


def anchors(page: Path) -> set[str]:
    """The fragments of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {f"#{heading.replace(' ', '-')}" for heading in words}


def test_the_readme_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 140


def test_every_page_is_linked_from_the_readme() -> None:
    text = README.read_text("utf-8")
    pages = [str(page.relative_to(ROOT)) for page in PAGES if page != README]
    assert not [page for page in pages if f"]({page})" not in text]
