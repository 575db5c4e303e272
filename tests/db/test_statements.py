"""Every named statement fits the migrated schema."""

import re

import asyncpg
import pytest

from app.db import Database
from app.services.merge import TOUCHED, stage_table
from app.services.queries import statements, subjects
from app.services.undo import WORD

NAMED = [(subject, name) for subject in subjects() for name in statements(subject)]


def positional(statement: str) -> str:
    """SQLAlchemy's `:name` binds as the server's own; a cast stays a cast."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return re.sub(r"(?<!:):([a-z]\w*)", number, statement)


@pytest.mark.parametrize(("subject", "name"), NAMED)
async def test_prepares(database: Database, subject: str, name: str) -> None:
    connection = await asyncpg.connect(database.dsn)
    try:
        async with connection.transaction():
            await connection.execute(TOUCHED)
            await connection.execute(stage_table(("series_id", "ts", "known_at")))
            await connection.execute(WORD)
            await connection.prepare(positional(statements(subject)[name]))
    finally:
        await connection.close()
