"""A demonstration on sample data, in a temporary folder."""

from __future__ import annotations

import click


@click.command()
def demo() -> None:
    """Run the main job on sample data: a real client, a real server, real answers.

    Nothing of yours is read or written, and nothing leaves this machine.
    """
    import tempfile
    from pathlib import Path

    import anyio

    from mcp_enrichment.mcp.demo import run_demo

    with tempfile.TemporaryDirectory(
        prefix="mcp-enrichment-", ignore_cleanup_errors=True
    ) as folder:
        anyio.run(run_demo, Path(folder), click.echo)
