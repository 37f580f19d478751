"""Provenance adds up the requests of a sample."""

from vcgen.engine.chat import Completion, Usage
from vcgen.engine.pricing import per_million
from vcgen.tasks.provenance import Provenance


def test_completions_add_up_and_have_a_cost() -> None:
    provenance = Provenance(model="m", templates={"describe": "0f"})
    provenance.add(Completion(text="a", model="m", usage=Usage(10, 5), attempts=3), is_repair=False)
    provenance.add(Completion(text="b", model="m", usage=Usage(20, 5, 8)), is_repair=True)
    meta = provenance.as_meta(None)
    assert meta == {
        "model": "m",
        "templates": {"describe": "0f"},
        "usage": {"prompt_tokens": 30, "completion_tokens": 10, "cached_tokens": 8},
        "cost": None,
        "attempts": 4,
        "repairs": 1,
    }
    assert provenance.as_meta(per_million(1, 2))["cost"] > 0
    provenance.templates["refine"] = "1e"
    assert "refine" not in meta["templates"]
