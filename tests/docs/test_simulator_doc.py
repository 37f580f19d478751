"""What docs/simulator.md shows works as it stands there."""

import re
from dataclasses import fields
from typing import Any

from tests.support.common import ROOT
from vcgen.sim import Latency, Scenario, ServerLimits

PAGE = (ROOT / "docs/simulator.md").read_text("utf-8")


def test_the_example_test_passes() -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/simulator.md", "exec"), names)  # noqa: S102 - our own page
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 1
    tests[0]()


def test_every_setting_is_on_the_page() -> None:
    settings = [field.name for kind in (Scenario, Latency, ServerLimits) for field in fields(kind)]
    assert not [name for name in settings if not re.search(rf"\b{name}\b", PAGE)]
