"""Compression of daily tables where the server can: TimescaleDB under its community licence, not its Apache build."""

import logging

import asyncpg

from app.db import Database, driver, writing
from app.services.partitions import IS_NATIVE
from app.settings import OF_OPTIONS

COMPRESSIBLE = ("perp_1m", *OF_OPTIONS)
"""Daily tables whose rows are told once, or seldom anew."""
ENABLED = """
select compression_enabled from timescaledb_information.hypertables
where hypertable_schema = current_schema and hypertable_name = $1
"""
COMPRESSED = """
alter table {fact} set (
  timescaledb.compress, timescaledb.compress_segmentby = 'series_id', timescaledb.compress_orderby = '{order}')
"""
ORDER = {"option_trade": "ts, trade_seq"}
AFTER_TWO_DAYS = "select add_compression_policy($1, compress_after => interval '2 days', if_not_exists => true)"
NOT_NOW = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)

logger = logging.getLogger(__name__)


async def ensure(db: Database) -> list[str]:
    """Have the server compress days that are two days old; of which facts it does. What was set before stays.

    Whether it can is found by trying: the version does not tell. Raises whatever the database raises.
    """
    return [fact for fact in COMPRESSIBLE if await _of_fact(db, fact)]


async def _of_fact(db: Database, fact: str) -> bool:
    async with writing(db) as connection:
        copy = await driver(connection)
        if await copy.fetchval(IS_NATIVE, fact):
            return False
        if await copy.fetchval(ENABLED, fact):
            return True
        try:
            async with copy.transaction():
                await copy.execute("set local lock_timeout = '300ms'")
                await copy.execute(COMPRESSED.format(fact=fact, order=ORDER.get(fact, "ts")))
                await copy.execute(AFTER_TWO_DAYS, fact)
        except asyncpg.FeatureNotSupportedError as reason:
            logger.info("%s is not compressed: %s", fact, reason)
            return False
        except NOT_NOW:
            logger.info("%s is not compressed yet: the table is in use", fact)
            return False
    logger.info("%s is compressed once it is two days old", fact)
    return True
