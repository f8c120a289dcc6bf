"""What all tables share."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData()

BigNumber = BigInteger().with_variant(Integer, "sqlite")
"""For what may pass 2 ** 31 in time. SQLite has one kind of integer, of 64 bits."""
