"""Emails for LinkedIn profiles: an MCP server, an HTTP client and a self-hosted service.

The names in `__all__` are the public API. Each is imported at its first use (PEP 562). Their types
are in `__init__.pyi`.
"""

from importlib import import_module

__version__ = "0.1.0"
PROGRAM = "mcp-enrichment"
"""The name of the command, the package, the server and the folders."""

_MODULES = {
    "connect": "app.client",
    "EnrichmentClient": "client.client",
    "EnrichmentResult": "client.results",
    "ListPreview": "client.lists",
    "ListRow": "client.lists",
    "EmailType": "contract.models",
    "Status": "contract.models",
    "BadAnswer": "contract.errors",
    "BudgetExceeded": "contract.errors",
    "CommitUnknown": "contract.errors",
    "EnrichmentError": "contract.errors",
    "InsufficientCredits": "contract.errors",
    "InternalError": "contract.errors",
    "InvalidArguments": "contract.errors",
    "InvalidProfileURL": "contract.errors",
    "OutcomeUnknown": "contract.errors",
    "RateLimited": "contract.errors",
    "ServiceUnavailable": "contract.errors",
    "StorageFailed": "contract.errors",
    "Unauthorized": "contract.errors",
    "UnknownEnrichment": "contract.errors",
}
__all__ = ["__version__", *_MODULES]  # noqa: PLE0604 (the keys are strings)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
