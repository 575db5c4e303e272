"""What several tests of the database start from."""

from collections.abc import AsyncIterator

import pytest

from app.db import Database
from app.settings import OF_OPTIONS
from tests.db.facts import without_days


@pytest.fixture
async def ticking(clean_database: Database) -> AsyncIterator[Database]:
    """No facts of options, and no partitions of them."""
    await without_days(clean_database, *OF_OPTIONS)
    yield clean_database
    await without_days(clean_database, *OF_OPTIONS)
