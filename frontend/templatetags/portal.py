"""Tags and filters of the portal's pages."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta
from functools import lru_cache

import nh3
from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from frontend import words

register = template.Library()

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
_ALLOWED_TAGS = {
    "a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_COMMAND = re.compile(r"`([^`]+)`")


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """A drawing of the sprite; decorative unless ``label`` names it."""
    href = f"{static('streamspace/icons.svg')}#{name}"
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}"></use></svg>', label, href
        )
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"></use></svg>', href)


@register.simple_tag
def once() -> str:
    """A fresh mark for a form, by which a double submit is told from two submits."""
    return secrets.token_hex(12)


@register.filter
def markdown(text: str) -> SafeString:
    """Markdown as clean HTML. Headings start at the third level: the page has its own."""
    html = _markdown.render(text or "")
    html = re.sub(r"(</?h)([1-4])", lambda m: f"{m[1]}{int(m[2]) + 2}", html)
    cleaned = nh3.clean(
        html,
        tags=_ALLOWED_TAGS,
        attributes={"a": {"href", "title"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(cleaned)  # noqa: S308 (nh3 cleaned it)


@register.filter
@lru_cache(maxsize=1024)
def plain(text: str) -> str:
    """Markdown as one line of plain text, for a card."""
    html = _markdown.render(text or "")
    return " ".join(nh3.clean(html, tags=set()).replace("&amp;", "&").split())


@register.filter
def commands(text: str) -> SafeString:
    """Text in which what stands between backquotes is a command that can be copied."""
    parts: list[str] = []
    end = 0
    for match in _COMMAND.finditer(text or ""):
        parts.append(escape(text[end : match.start()]))
        parts.append(
            format_html(
                '<span class="command"><code>{}</code><button type="button" class="icon-button"'
                ' data-copy="{}" hidden>{}<span class="sr-only">Copy the command</span>'
                "</button></span>",
                match[1],
                match[1],
                icon("copy"),
            )
        )
        end = match.end()
    rest = (text or "")[end:]
    # A full stop behind a command and its button looks like a part of the command.
    parts.append("" if parts and rest == "." else escape(rest))
    return mark_safe("".join(parts))  # noqa: S308 (each part is escaped)


@register.filter
def cpu(millicores: int) -> str:
    return words.cpu(millicores)


@register.filter
def mib(value: int) -> str:
    return words.size(value)


@register.filter
def span(duration: timedelta | None) -> str:
    return words.span(duration) if duration is not None else ""


@register.simple_tag
def moment(then: datetime | None, mode: str = "ago") -> SafeString:
    """A point in time as ``<time>`` that the page keeps true: ``ago``, ``for`` or ``left``."""
    if then is None:
        return SafeString("")
    now = timezone.now()
    match mode:
        case "ago":
            text, kind = words.ago(then, now), "since"
        case "for":
            text, kind = words.span(now - then), "for"
        case _:
            text, kind = words.span(then - now), "until"
    return format_html(
        '<time datetime="{}" data-{}="{}" title="{}">{}</time>',
        then.isoformat(),
        kind,
        int(then.timestamp() * 1000),
        timezone.localtime(then).strftime("%Y-%m-%d %H:%M:%S %Z"),
        text,
    )
