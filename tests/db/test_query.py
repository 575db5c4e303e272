"""A query changes nothing, whatever it says."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from app.cli import rows
from app.cli.console import Failure
from app.cli.query import answer
from app.cli.statements import cut
from app.db import Database

INSERT = "insert into source (slug) values ('x') returning id"


async def ask(db: Database, text: str) -> None:
    ended, begun = cut(text)
    for statement in ended if begun is None else [*ended, begun]:
        await answer(db, statement, rows.as_table)


@pytest.mark.parametrize(
    "text",
    [
        INSERT,
        INSERT.removesuffix(" returning id"),
        f"commit; {INSERT}",
        f"set transaction read write; {INSERT}",
        f"set default_transaction_read_only = off; {INSERT}",
        f"explain analyze {INSERT}",
        f"with new as ({INSERT}) select count(*) from new",
        "with gone as (delete from entity returning id) select count(*) from gone",
        "create table x (a int)",
        "create table x as select 1",
        "select 1 as a into x",
        "do $$ begin create table x (a int); end $$",
        "select nextval('source_id_seq')",
        "select set_config('transaction_read_only', 'off', false) from (select 1) one; select nextval('source_id_seq')",
    ],
)
async def test_refused(clean_database: Database, text: str) -> None:
    before = await clean_database.reads.fetchval("select count(*) from entity")
    with pytest.raises(Failure, match=r"a query only reads|read-write mode must be set before any query"):
        await ask(clean_database, text)
    assert await clean_database.reads.fetchval("select count(*) from source") == 0
    assert await clean_database.reads.fetchval("select count(*) from entity") == before
    assert await clean_database.reads.fetchval("select to_regclass('x')") is None


@pytest.fixture
def untouched(short_tmp: Path) -> Iterator[Path]:
    """A file that is not there, and could be made by anybody."""
    folder = Path(mkdtemp(dir=short_tmp))
    folder.chmod(0o777)
    yield folder / "copied"
    assert list(folder.iterdir()) == []


async def test_a_copy_writes_no_file(clean_database: Database, untouched: Path) -> None:
    """A read-only transaction alone would let it."""
    for target in (f"'{untouched}'", f"program 'touch {untouched}'"):
        with pytest.raises(Failure, match=r"^COPY is not run: a query only reads"):
            await ask(clean_database, f"copy (select 1) to {target}")


async def test_the_next_statement_has_a_transaction_of_its_own(
    clean_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Failure, match=r"^division by zero$"):
        await ask(clean_database, "select 1 / 0")
    await ask(clean_database, "select 2 as a")
    assert capsys.readouterr().out == "a\n2\n"
    await clean_database.reads.execute("insert into source (slug) values ('y')")
