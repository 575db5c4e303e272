"""Compression of minutes, where the server can: TimescaleDB under its community licence, not its Apache build."""

import logging

import asyncpg

from app.db import Database, driver, writing
from app.services.partitions import IS_NATIVE

ENABLED = """
select compression_enabled from timescaledb_information.hypertables
where hypertable_schema = current_schema and hypertable_name = 'perp_1m'
"""
COMPRESSED = """
alter table perp_1m set (
  timescaledb.compress, timescaledb.compress_segmentby = 'series_id', timescaledb.compress_orderby = 'ts')
"""
AFTER_TWO_DAYS = "select add_compression_policy('perp_1m', compress_after => interval '2 days', if_not_exists => true)"
NOT_NOW = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)

logger = logging.getLogger(__name__)


async def ensure(db: Database) -> bool:
    """Have the server compress minutes that are two days old; whether it does. What was set before is left as it is.

    Whether it can is found by trying: the version does not tell. Raises whatever the database raises.
    """
    async with writing(db) as connection:
        copy = await driver(connection)
        if await copy.fetchval(IS_NATIVE, "perp_1m"):
            return False
        if await copy.fetchval(ENABLED):
            return True
        try:
            async with copy.transaction():
                await copy.execute("set local lock_timeout = '300ms'")
                await copy.execute(COMPRESSED)
                await copy.execute(AFTER_TWO_DAYS)
        except asyncpg.FeatureNotSupportedError as reason:
            logger.info("minutes are not compressed: %s", reason)
            return False
        except NOT_NOW:
            logger.info("minutes are not compressed yet: the table is in use")
            return False
    logger.info("minutes are compressed once they are two days old")
    return True
