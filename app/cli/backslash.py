"""What a backslash asks for at the SQL prompt."""

from dataclasses import dataclass

from app.cli.console import Failure
from app.cli.statements import Statement

QUIT, HELP = "\\q", "\\?"
ABOUT = """\
select …;   SQL, over as many lines as you like; a semicolon runs it
\\d          tables, with bytes and about how many rows
\\d TABLE    its columns
\\?          this
\\q          end; so does Ctrl-D, and Ctrl-C clears the line or cancels what runs"""
COLUMNS = """
select a.attname as column, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable,
  pg_get_expr(d.adbin, d.adrelid) as default,
  exists (select from pg_index i where i.indrelid = a.attrelid and i.indisprimary and a.attnum = any(i.indkey)) as key
from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = $1::text::regclass and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """SQL and its arguments."""

    sql: str
    arguments: tuple[object, ...] = ()


def meant(statement: Statement) -> Asked:
    """The SQL a backslash stands for. Raises Failure for what there is not."""
    match statement.text.split():
        case ["\\d"]:
            from app.services.storage import TABLES

            return Asked(TABLES)
        case ["\\d", table]:
            return Asked(COLUMNS, (table,))
        case _:
            raise Failure(f"{statement.text.strip()}: no such command; \\d, \\d TABLE, \\q and \\? are")
