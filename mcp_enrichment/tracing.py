"""Tracing from the tool call to the callback: spans, and the W3C trace context.

Without a set-up no span is recorded, but the context of a request is still passed on. The name and
the attributes of a span contain no URL, id, email or text.
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
    "is_set_up",
    "span",
    "traceparent",
]

TRACEPARENT = "traceparent"
"""The header of https://www.w3.org/TR/trace-context/, and its name in MCP's `_meta`."""

_W3C = TraceContextTextMapPropagator()
_tracer = trace.get_tracer(PROGRAM, __version__)


def is_set_up() -> bool:
    """Whether anybody records spans in this process."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@contextmanager
def span(
    name: str, kind: SpanKind = SpanKind.INTERNAL, *, parent: str | None = None
) -> Iterator[None]:
    """Record the block as a span. `parent`: a `traceparent` from outside; without a valid one, the
    parent is the current span."""
    if not is_set_up():
        with continue_trace(parent):
            yield
        return
    with _tracer.start_as_current_span(
        name,
        context=_context_of(parent),
        kind=kind,
        record_exception=False,  # its text may contain personal data
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
    """Continue the trace of this `traceparent`, from outside, in the block."""
    remote = _context_of(parent) if parent else None
    if remote is None:
        yield
        return
    token = context.attach(remote)
    try:
        yield
    finally:
        context.detach(token)


def annotate(attributes: Mapping[str, str | int], *, name: str | None = None) -> None:
    """Set attributes, and maybe the name, of the current span."""
    here = trace.get_current_span()
    here.set_attributes(attributes)
    if name:
        here.update_name(name)


def traceparent() -> str | None:
    """The `traceparent` of the current span; None without a trace."""
    if trace.get_current_span() is trace.INVALID_SPAN:
        return None
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)  # without `tracestate`, which is for tracing systems
    return carrier.get(TRACEPARENT)


def headers() -> dict[str, str]:
    """The HTTP headers that pass the trace on."""
    here = traceparent()
    return {TRACEPARENT: here} if here else {}


def _context_of(parent: str | None) -> Context | None:
    if not parent:
        return None
    remote = trace.get_current_span(_W3C.extract({TRACEPARENT: parent}))
    return trace.set_span_in_context(remote) if remote.get_span_context().is_valid else None
