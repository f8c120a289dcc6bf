"""Sends spans to a collector, if the standard OTEL_* variables name one.

The SDK reads the endpoint, headers, sampling and the name of the service from them:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mcp_enrichment import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 0.3
"""Seconds that the process waits at its end for the last spans to be sent."""


@contextmanager
def export_spans() -> Iterator[None]:
    """Export the spans of the block, if OTEL_* is set and the extra is installed."""
    provider = _provider() if _is_wanted() else None
    try:
        yield
    finally:
        if provider:
            last = threading.Thread(target=provider.shutdown, daemon=True)
            last.start()
            last.join(FLUSH_SECONDS)


def _is_wanted() -> bool:
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if exporters := os.environ.get("OTEL_TRACES_EXPORTER"):
        return "otlp" in exporters.split(",")
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return any(os.environ.get(name) for name in endpoints)


def _provider() -> TracerProvider | None:
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logger.warning(
            "OTEL_* is set, but OpenTelemetry is not installed: pip install 'mcp-enrichment[otel]'"
        )
        return None
    # The default of OTEL_SERVICE_NAME.
    resource = Resource.create({"service.name": PROGRAM}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider
