"""All explanations: of every error, every database fault and every next step."""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages
from typing import TYPE_CHECKING

import mcp_enrichment
from mcp_enrichment.contract.errors import (
    EnrichmentError,
    PermanentError,
    StorageFailed,
    StorageFault,
    TransientError,
)
from mcp_enrichment.contract.explanation import Explanation
from mcp_enrichment.mcp import next_steps

if TYPE_CHECKING:
    from collections.abc import Iterator


def whole_tree(root: type[EnrichmentError]) -> Iterator[EnrichmentError]:
    """One error of each class that has its own explanation."""
    for kind in root.__subclasses__():
        if kind is StorageFailed:
            yield from map(StorageFailed, StorageFault)
        elif kind not in (PermanentError, TransientError) and hasattr(kind, "explanation"):
            yield kind(retry_after=7.2 if kind.retryable else None)
        yield from whole_tree(kind)


def next_step_explanations() -> dict[str, Explanation]:
    """The explanation of every next step, by a name that a failing test shows."""
    return dict(_explanations(next_steps.__name__))


def every_explanation() -> dict[str, Explanation]:
    """The explanations of all errors, faults and next steps, in classes and elsewhere."""
    found: dict[str, Explanation] = {}
    for module in walk_packages(mcp_enrichment.__path__, f"{mcp_enrichment.__name__}."):
        if not module.name.endswith("__main__"):
            found |= dict(_explanations(module.name))
    return found | {  # now each module, and so each class, is imported
        f"{type(error).__name__} {getattr(error, 'fault', '')}".strip(): error.explanation
        for error in whole_tree(EnrichmentError)
    }


def _explanations(module: str) -> Iterator[tuple[str, Explanation]]:
    for name, value in vars(import_module(module)).items():
        many = value.items() if isinstance(value, dict) else [("", value)]
        for key, one in many:
            if isinstance(one, Explanation):
                yield f"{module}.{name} {key}".strip(), one
