"""Alembic's entry: migrates over the connection that `migrate.upgrade` hands in."""

from alembic import context

from mcp_enrichment.service.db.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
