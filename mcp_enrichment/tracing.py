"""Following a request from the tool call to its callback: spans, and the W3C trace context.

Where nothing is set up nothing is recorded, and a context that came with a request is passed on all
the same. A span's name and attributes are ours: never a URL, an id, an address or a text.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from mcp_enrichment import PROGRAM, __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.context import Context

__all__ = [
    "TRACEPARENT",
    "SpanKind",
    "annotate",
    "continue_trace",
    "headers",
    "span",
    "traceparent",
]

TRACEPARENT = "traceparent"
"""The header of https://www.w3.org/TR/trace-context/, and its name in MCP's `_meta`."""

_W3C = TraceContextTextMapPropagator()
_tracer = trace.get_tracer(PROGRAM, __version__)


@contextmanager
def span(
    name: str, kind: SpanKind = SpanKind.INTERNAL, *, parent: str | None = None
) -> Iterator[None]:
    """What is done in it is one step of the trace. `parent`: a `traceparent` from outside; without
    one, or with one that is no such thing, the step belongs to what it is done in."""
    with _tracer.start_as_current_span(
        name,
        context=_context_of(parent),
        kind=kind,
        record_exception=False,  # its text may hold what is nobody's business
        set_status_on_exception=False,
    ) as opened:
        try:
            yield
        except Exception as error:
            opened.set_attribute("error.type", type(error).__name__)
            opened.set_status(StatusCode.ERROR)
            raise


@contextmanager
def continue_trace(parent: str | None) -> Iterator[None]:
    """What is done in it belongs to the trace that this `traceparent`, from outside, tells of."""
    came = _context_of(parent)
    if came is None:
        yield
        return
    token = context.attach(came)
    try:
        yield
    finally:
        context.detach(token)


def annotate(attributes: Mapping[str, str | int], *, name: str | None = None) -> None:
    """Say more of the step under way, or name it better."""
    here = trace.get_current_span()
    here.set_attributes(attributes)
    if name:
        here.update_name(name)


def traceparent() -> str | None:
    """The step under way, as the next one's parent; None where nobody follows."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)  # and not `tracestate`: that is of those who follow, for each other
    return carrier.get(TRACEPARENT)


def headers() -> dict[str, str]:
    """What passes the trace on over HTTP."""
    here = traceparent()
    return {TRACEPARENT: here} if here else {}


def _context_of(parent: str | None) -> Context | None:
    came = trace.get_current_span(_W3C.extract({TRACEPARENT: parent or ""}))
    return trace.set_span_in_context(came) if came.get_span_context().is_valid else None
