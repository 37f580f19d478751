"""Files of endpoints for `--endpoints`."""

import json
from collections.abc import Mapping
from pathlib import Path


def write_endpoints(path: Path, *tables: Mapping[str, object]) -> Path:
    """Write one `[[endpoint]]` a table, whose values are texts, numbers or lists of them."""
    lines = []
    for table in tables:
        lines.append("[[endpoint]]")
        # Such values are written alike in TOML and JSON.
        lines += [f"{json.dumps(name)} = {json.dumps(value)}" for name, value in table.items()]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path
