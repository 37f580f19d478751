"""The manifest: bytes that stay, older and edited files, the differences between two runs."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.common import ROOT
from vcgen.errors import UsageError
from vcgen.pipeline.store.manifest import GivenRates, Manifest
from vcgen.tasks.recipe import with_current_names

OLD = ROOT / "tests" / "support" / "run_of_0_1_0"
WHOLE = Manifest(
    vcgen="0.2.0",
    started="2026-01-01T00:00:00+00:00",
    recipe_hash="0123456789abcdef",
    simulated=True,
    limits=(GivenRates(600, None),),
    model="sim",
    tasks=("description",),
    recipe={"turns": [3, 5], "seed": 0},
    templates={"describe": "0a1b"},
    judge="judge-model",
)


def test_run_json_read_and_written_is_the_same_bytes() -> None:
    written = WHOLE.encode()
    assert written.startswith(b'{\n  "layout": 1,\n  "vcgen": "0.2.0",\n  "started"')
    assert list(orjson.loads(written)["run"]) == ["model", "tasks", "recipe", "templates", "judge"]
    read = Manifest.from_json(orjson.loads(written))
    assert read == WHOLE
    assert read.encode() == written


def test_manifest_of_0_1_0_is_read_and_keeps_its_identity() -> None:
    manifest, content = Manifest.read(OLD), orjson.loads((OLD / "run.json").read_bytes())
    assert (manifest.vcgen, manifest.model, manifest.judge) == ("0.1.0", "sim", None)
    assert manifest.templates == content["run"]["templates"]
    assert manifest.recipe == with_current_names(content["run"]["recipe"])
    assert not manifest.changes(Manifest.from_json(content))


@pytest.mark.parametrize("part", ["limits", "run", "counts"])
@pytest.mark.parametrize("value", [None, 5, "x", [5], {"a": 1}, [{"rpm": "x"}], [{"rpm": -3}]])
def test_an_edited_part_reads_as_unknown(part: str, value: Any) -> None:
    manifest = Manifest.from_json({**WHOLE.to_json(), part: value})
    assert all(rates == GivenRates() for rates in manifest.limits if part == "limits")
    assert Manifest.from_json(manifest.to_json()) == manifest


@pytest.mark.parametrize(
    "run",
    [{"model": 5}, {"tasks": "x"}, {"recipe": [1]}, {"templates": 3}, {"templates": {"a": None}}],
)
def test_an_edited_identity_reads_and_is_a_change(run: dict[str, Any]) -> None:
    content = WHOLE.to_json()
    assert Manifest.from_json({**content, "run": content["run"] | run}).changes(WHOLE)


def test_an_unknown_part_of_the_identity_is_a_change() -> None:
    content = WHOLE.to_json()
    later = Manifest.from_json({**content, "run": {**content["run"], "frames": 8}})
    assert later.to_json()["run"]["frames"] == 8
    assert later.changes(WHOLE) == ["frames was 8, is not given"]


def test_changes_name_at_most_eight_parts_in_order() -> None:
    now = Manifest(model="b", recipe={f"option-{at}": at for at in range(20)})
    changes = WHOLE.changes(now)
    assert changes[:2] == ["judge was judge-model, is not given", "model was sim, is b"]
    assert (len(changes), changes[-1]) == (9, "and 18 more")
    assert not WHOLE.changes(WHOLE)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"layout": 1}', b'{"layout":1,"run":3}'])
def test_unreadable_manifest_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(UsageError, match=r"not a run directory: it has no readable run\.json"):
        Manifest.read(tmp_path)


def test_unknown_layout_names_the_version_that_wrote_it(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(b'{"layout": 2, "run": {}, "vcgen": "9.1"}')
    with pytest.raises(UsageError, match=r"layout 2, written by vcgen 9\.1"):
        Manifest.read(tmp_path)
