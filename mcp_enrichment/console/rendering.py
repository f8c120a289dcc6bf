"""Templates and security headers. All values are escaped; no page runs a script of its text."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mcp_enrichment import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every response of the console."""
MENU = (
    ("", "Overview"),
    ("/lookups", "Lookups"),
    ("/sources", "Sources"),
    ("/credits", "Credits"),
    ("/callbacks", "Callbacks"),
    ("/contacts", "Contacts"),
    ("/privacy", "Privacy"),
    ("/teams", "Teams and keys"),
)
"""The pages of the menu: their paths below `/console`, and their names."""
NONE = "-"
MINUTE, HOUR, DAY = 60, 3600, 86_400


def render(template: str, **values: Any) -> str:
    """The page or fragment as HTML."""
    return _templates.get_template(template).render(values)


def show_time(at: float | None) -> Markup:
    """A time in UTC as an element that also holds the exact one."""
    if at is None:
        return Markup(NONE)  # noqa: S704 (a constant)
    moment = datetime.fromtimestamp(at, UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        moment.isoformat(), f"{moment:%Y-%m-%d %H:%M:%S}"
    )


def show_duration(seconds: float | None) -> str:
    """A duration in its largest fitting unit, with one decimal below a minute."""
    if seconds is None:
        return NONE
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.1f} {name}"
    raise AssertionError(seconds)


def show_number(number: int | Decimal | None) -> str:
    """A number with separators and without an exponent; a dash for none."""
    if number is None:
        return NONE
    return f"{number.normalize():,f}" if isinstance(number, Decimal) else f"{number:,}"


def show_share(share: float | None) -> str:
    """A share as a percentage."""
    return NONE if share is None else f"{share:.1%}"


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "at": show_time,
        "took": show_duration,
        "number": show_number,
        "share": show_share,
    }
    made.globals |= {"version": __version__, "pages": MENU}
    return made


_templates = _environment()
