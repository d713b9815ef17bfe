"""Template icons: SVG from strangers, made harmless before it is stored."""

from __future__ import annotations

import re

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
_FOREIGN_URL = re.compile(r"url\(\s*['\"]?\s*(?!#)", re.IGNORECASE)


def sanitise(svg: str) -> str:
    """Keep shapes, colours and gradients of an SVG document; ValueError when none is left.

    Scripts, styles, links, images, animations and references out of the document go.
    """
    if len(svg.encode(errors="replace")) > MAX_BYTES:
        raise ValueError(f"the icon is larger than {MAX_BYTES // 1024} KiB")

    def keep(_tag: str, _attribute: str, value: str) -> str | None:
        return None if _FOREIGN_URL.search(value) else value

    clean = nh3.clean(
        svg,
        tags=_SHAPES,
        clean_content_tags={"script", "style"},
        attributes={"*": _ATTRIBUTES},
        attribute_filter=keep,
        link_rel=None,
    )
    start = clean.find("<svg")
    if start < 0:
        raise ValueError("the icon is not an SVG document")
    clean = clean[start:].strip()
    if "xmlns=" not in clean.split(">", 1)[0]:
        clean = clean.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return clean
