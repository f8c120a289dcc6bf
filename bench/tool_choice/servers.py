"""Real servers whose tools are searched beside ours, from npm and PyPI.

Two kinds: servers that many users have, and servers near to ours: they find, verify or write to
addresses, or know LinkedIn. All are under the MIT or the Apache-2.0 licence.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ANY = "example"
"""A credential: no server checks it before it lists its tools, and none has a network."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server: how it is installed and started."""

    name: str
    """As a user's configuration calls it."""
    package: str
    program: str
    arguments: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    """Variables of its environment."""
    beside: tuple[str, ...] = ()
    """Further requirements from PyPI."""


NPM = (
    Server(
        name="github",
        package="@modelcontextprotocol/server-github@2025.4.8",
        program="mcp-server-github",
        settings={"GITHUB_PERSONAL_ACCESS_TOKEN": ANY},
    ),
    Server(
        name="slack",
        package="@modelcontextprotocol/server-slack@2025.4.25",
        program="mcp-server-slack",
        settings={"SLACK_BOT_TOKEN": ANY, "SLACK_TEAM_ID": ANY},
    ),
    Server(
        name="filesystem",
        package="@modelcontextprotocol/server-filesystem@2026.8.31",
        program="mcp-server-filesystem",
        arguments=(".",),
    ),
    Server(
        name="memory",
        package="@modelcontextprotocol/server-memory@2026.8.31",
        program="mcp-server-memory",
    ),
    Server(
        name="google-maps",
        package="@modelcontextprotocol/server-google-maps@0.6.2",
        program="mcp-server-google-maps",
        settings={"GOOGLE_MAPS_API_KEY": ANY},
    ),
    Server(
        name="postgres",
        package="@modelcontextprotocol/server-postgres@0.6.2",
        program="mcp-server-postgres",
        arguments=("postgresql://localhost/example",),
    ),
    Server(
        name="notion",
        package="@notionhq/notion-mcp-server@2.5.2",
        program="notion-mcp-server",
        settings={"NOTION_TOKEN": ANY},
    ),
    Server(
        name="resend",
        package="resend-mcp@2.22.0",
        program="resend-mcp",
        settings={"RESEND_API_KEY": ANY},
    ),
    Server(
        name="firecrawl",
        package="firecrawl-mcp@3.26.0",
        program="firecrawl-mcp",
        settings={"FIRECRAWL_API_KEY": ANY},
    ),
    Server(
        name="tavily",
        package="tavily-mcp@0.2.22",
        program="tavily-mcp",
        settings={"TAVILY_API_KEY": ANY},
    ),
    Server(
        name="brave-search",
        package="@brave/brave-search-mcp-server@2.1.4",
        program="brave-search-mcp-server",
        settings={"BRAVE_API_KEY": ANY},
    ),
    Server(name="context7", package="@upstash/context7-mcp@4.1.1", program="context7-mcp"),
    Server(name="mongodb", package="mongodb-mcp-server@3.0.4", program="mongodb-mcp-server"),
    Server(
        name="attio",
        package="attio-mcp@1.6.1",
        program="attio-mcp",
        settings={"ATTIO_API_KEY": ANY},
    ),
    Server(
        name="ms365",
        package="@softeria/ms-365-mcp-server@0.155.0",
        program="ms-365-mcp-server",
    ),
    Server(
        name="asana",
        package="@roychri/mcp-server-asana@1.8.0",
        program="mcp-server-asana",
        settings={"ASANA_ACCESS_TOKEN": ANY},
    ),
    Server(
        name="airtable",
        package="airtable-mcp-server@1.14.0",
        program="airtable-mcp-server",
        settings={"AIRTABLE_API_KEY": "pat.example"},
    ),
    Server(
        name="salesforce",
        package="@tsmztech/mcp-server-salesforce@0.0.6",
        program="salesforce-connector",
        settings={"SALESFORCE_USERNAME": ANY, "SALESFORCE_PASSWORD": ANY},
    ),
    Server(name="playwright", package="@playwright/mcp@0.0.83", program="playwright-mcp"),
    Server(
        name="hubspot",
        package="@hubspot/mcp-server@0.4.0",
        program="mcp-hubspot",
        settings={"PRIVATE_APP_ACCESS_TOKEN": ANY},
    ),
)
PYPI = (
    Server(
        name="google-workspace",
        package="workspace-mcp==2.2.1",
        program="workspace-mcp",
    ),
    Server(
        name="apollo",
        package="mcparmory-apollo==1.0.4",
        program="mcparmory-apollo",
        settings={"API_KEY": ANY, "BEARER_TOKEN": ANY, "APOLLO_API_KEY": ANY},
    ),
    Server(name="leadenrich", package="leadenrich-mcp==0.2.0", program="leadenrich-mcp"),
    Server(
        name="evaboot",
        package="evaboot-mcp==0.1.0",
        program="evaboot-mcp",
        settings={"EVABOOT_API_KEY": ANY},
        beside=("mcp<2",),
    ),
    Server(
        name="linkedin",
        package="unipile-linkedin-mcp==0.1.0",
        program="unipile-linkedin-mcp",
        settings={"UNIPILE_BASE_URL": "https://example.com", "UNIPILE_API_KEY": ANY},
        beside=("mcp<2",),
    ),
    Server(
        name="instantly",
        package="instantly-mcp==0.1.0",
        program="instantly-mcp",
        settings={"INSTANTLY_API_KEY": ANY},
    ),
    Server(name="kiprio", package="kiprio-mcp==0.6.0", program="kiprio-mcp"),
)
