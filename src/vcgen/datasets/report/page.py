"""Render the page: one HTML file that needs no network, written as it is made.

The template escapes every value. Besides, the content security policy allows the style and the
script whose hashes it names, and nothing else.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Any

from vcgen.datasets.report.record_view import Filters, RecordView
from vcgen.tasks.templates import html_template

_HERE = files("vcgen.datasets.report")


def page(
    filters: Filters, records: Iterable[RecordView], content: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the page in pieces, taking `records` one at a time."""
    style = _read("style.css") + _filtering(filters)
    script = _read("search.js")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        ]
    )
    return html_template(_read("page.html")).generate(
        {
            **content,
            "policy": policy,
            "style": style,
            "script": script,
            "filters": [each for each in filters if each.classes],
            "records": records,
        }
    )


def _filtering(filters: Filters) -> str:
    """Style that filters where no script does; the class names are ours."""
    rules = "\n".join(
        # Matched from the form: matched from the page, it would be tried again for each record.
        f".bar:has(option[value={name}]:checked) ~ #list > :not(.{name}) {{ display: none; }}"
        for each in filters
        for name in each.classes.values()
    )
    return f"@media (scripting: none) {{\n{rules}\n}}\n"


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _read(name: str) -> str:
    return (_HERE / name).read_text("utf-8")
