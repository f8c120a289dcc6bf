"""whoever waits for a request is told of its end, on Postgres"""

from alembic import op

revision = "0005"
down_revision = "0004"

TELL = """
CREATE FUNCTION tell_of_its_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('enrichment_ended', NEW.id);
    RETURN NULL;
END;
$$;
CREATE TRIGGER requests_tell_of_their_end AFTER UPDATE OF ended_at ON requests FOR EACH ROW
WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL)
EXECUTE FUNCTION tell_of_its_end();
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(TELL)
