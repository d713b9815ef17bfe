"""Template icons: SVG from strangers, made harmless before it is stored."""

from __future__ import annotations

import re
from xml.parsers import expat

import nh3

MAX_BYTES = 64 * 1024

_SHAPES = {
    "svg", "g", "defs", "title", "path", "rect", "circle", "ellipse", "line", "polyline",
    "polygon", "linearGradient", "radialGradient", "stop", "clipPath", "mask",
}  # fmt: skip
_ATTRIBUTES = {
    "xmlns", "viewBox", "width", "height", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx",
    "ry", "fx", "fy", "d", "points", "transform", "id", "offset", "opacity", "fill", "fill-rule",
    "fill-opacity", "clip-rule", "clip-path", "mask", "stroke", "stroke-width", "stroke-linecap",
    "stroke-linejoin", "stroke-opacity", "stroke-dasharray", "stop-color", "stop-opacity",
    "gradientUnits", "gradientTransform", "preserveAspectRatio",
}  # fmt: skip
_FOREIGN_URL = re.compile(r"url\(\s*+['\"]?+\s*+(?!#)", re.IGNORECASE)


def sanitise(svg: str) -> str:
    """Keep shapes, colours and gradients of an SVG document; ValueError when none is left.

    Scripts, styles, links, images, animations and references out of the document go.
    """
    if len(svg.encode(errors="replace")) > MAX_BYTES:
        raise ValueError(f"the icon is larger than {MAX_BYTES // 1024} KiB")

    def keep(_tag: str, _attribute: str, value: str) -> str | None:
        # A backslash would spell `url` in a way that only a CSS parser reads.
        return None if _FOREIGN_URL.search(value) or "\\" in value else value

    clean = nh3.clean(
        svg,
        tags=_SHAPES,
        clean_content_tags={"script", "style"},
        attributes={"*": _ATTRIBUTES},
        attribute_filter=keep,
        link_rel=None,
    )
    start, end = clean.find("<svg"), clean.rfind("</svg>")
    if start < 0 or end < 0:
        raise ValueError("the icon is not an SVG document")
    clean = clean[start : end + len("</svg>")].replace("&nbsp;", "&#160;")
    if "xmlns=" not in clean.split(">", 1)[0]:
        clean = clean.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    # HTML forgives what XML does not, and browsers get the icon as an XML document.
    try:
        expat.ParserCreate().Parse(clean, True)
    except expat.ExpatError as error:
        raise ValueError(f"the icon is not well-formed: {error}") from None
    return clean
