"""Vega-Lite drawn as SVG that may stand in a page: only shapes and text, nothing that acts.

Whatever the library writes besides is left out: by name of element and attribute, so that another
version of it cannot bring in a script, a style, a link or a picture.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from vcgen.checks.tokenize import word_set
from vcgen.errors import UsageError

MISSING = "a report needs vl-convert-python to draw: pip install 'vcgen[report]'"
_SHAPES = word_set("svg g path line rect text tspan")
_ATTRIBUTES = word_set(
    """
    width height viewBox transform d x y dx dy x1 x2 y1 y2 fill fill-opacity stroke stroke-width
    stroke-opacity stroke-dasharray stroke-miterlimit opacity text-anchor font-size font-weight
    """
)
_EMPTY = re.compile(r"(?:M0,0h0v0h0Z)?")
_NAMESPACE = re.compile(r"\{[^}]*\}")


def renderer() -> Callable[[Mapping[str, Any]], str]:
    """What draws a picture as SVG, without a name: its figure says what it is.

    Raises:
        UsageError: the library is not installed.
    """
    try:
        import vl_convert  # noqa: PLC0415 - 20 MB that only reports need
    except ImportError as error:
        raise UsageError(MISSING) from error
    return lambda spec: plain(vl_convert.vegalite_to_svg(dict(spec), allowed_base_urls=[]))


def plain(svg: str) -> str:
    """The shapes and texts of an SVG, and of their attributes those that only place and colour."""
    root = ET.fromstring(svg)  # noqa: S314 - written by our library, with all texts escaped
    _strip(root)
    root.attrib.update({"aria-hidden": "true", "focusable": "false"})
    return ET.tostring(root, encoding="unicode")


def _strip(element: ET.Element) -> None:
    element.tag = _NAMESPACE.sub("", element.tag)
    kept = {
        name: value
        for name, value in element.attrib.items()
        if name in _ATTRIBUTES and "url(" not in value
    }
    element.attrib.clear()
    element.attrib.update(kept)
    for child in list(element):
        _strip(child)
        if child.tag not in _SHAPES or _shows_nothing(child):
            element.remove(child)


def _shows_nothing(element: ET.Element) -> bool:
    if element.tag == "g":
        return not len(element)
    if element.tag != "path":
        return False
    is_seen = {"fill", "stroke"} & set(element.keys())
    return not is_seen or _EMPTY.fullmatch(element.get("d", "")) is not None
