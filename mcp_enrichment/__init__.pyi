from mcp_enrichment.app.client import connect
from mcp_enrichment.client.client import EnrichmentClient
from mcp_enrichment.client.lists import ListPreview, ListRow
from mcp_enrichment.client.results import EnrichmentResult
from mcp_enrichment.contract.errors import (
    BadAnswer,
    BudgetExceeded,
    CommitUnknown,
    EnrichmentError,
    InsufficientCredits,
    InternalError,
    InvalidArguments,
    InvalidProfileURL,
    OutcomeUnknown,
    RateLimited,
    ServiceUnavailable,
    StorageFailed,
    Unauthorized,
    UnknownEnrichment,
)
from mcp_enrichment.contract.models import EmailType, Status

__all__ = [
    "BadAnswer",
    "BudgetExceeded",
    "CommitUnknown",
    "EmailType",
    "EnrichmentClient",
    "EnrichmentError",
    "EnrichmentResult",
    "InsufficientCredits",
    "InternalError",
    "InvalidArguments",
    "InvalidProfileURL",
    "ListPreview",
    "ListRow",
    "OutcomeUnknown",
    "RateLimited",
    "ServiceUnavailable",
    "Status",
    "StorageFailed",
    "Unauthorized",
    "UnknownEnrichment",
    "__version__",
    "connect",
]

__version__: str
PROGRAM: str
