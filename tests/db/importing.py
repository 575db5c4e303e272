"""Small helpers for tests that import rows."""

import json
from collections.abc import Mapping
from dataclasses import replace

from app.db import Database
from app.services.importing import Answer, Writer, import_rows, options
from app.services.importing.json_rows import read_objects
from app.services.importing.lines import Lines

Row = Mapping[str, object]
WHEN = "2025-08-21T00:00:00Z"


async def bring(
    db: Database,
    dataset: str,
    *rows: Row,
    columns: Mapping[str, str] | None = None,
    values: Mapping[str, str] | None = None,
    by: Writer | None = None,
    kept: Mapping[str, int] | None = None,
    **told: object,
) -> Answer:
    """Import rows as a body of NDJSON has them; `columns` and `values` are those of `map` and `set`.

    `by`: the writer of an import that can be taken back. `kept`: days by fact.
    """
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    read = options(dataset, columns=(columns or {}).items(), values=(values or {}).items(), **told)  # type: ignore[arg-type]
    read = replace(read, writer=by, kept=kept or {})
    return await import_rows(db, dataset, [read_objects(Lines(text, 0), 0)] if rows else [], read)


def funding(**fields: object) -> Row:
    """A row of funding: Binance, BTCUSDT, 0.0001, unless told otherwise; None leaves a field out."""
    row = {"time": WHEN, "exchange": "binance", "instrument": "BTCUSDT", "asset": "BTC", "rate": 0.0001, **fields}
    return {name: value for name, value in row.items() if value is not None}


def candle(**fields: object) -> Row:
    """A candle of one minute with all prices 10, unless told otherwise."""
    prices = dict.fromkeys(("open", "high", "low", "close"), 10.0)
    row = {"time": WHEN, "exchange": "binance", "instrument": "BTCUSDT", "asset": "BTC", **prices, **fields}
    return {name: value for name, value in row.items() if value is not None}


def liquidation(**fields: object) -> Row:
    """A long position of one coin on Binance, closed at 10, unless told otherwise."""
    row = {"time": WHEN, "exchange": "binance", "instrument": "BTCUSDT", "asset": "BTC", "side": "long",
           "price": 10.0, "quantity": 1.0, **fields}  # fmt: skip
    return {name: value for name, value in row.items() if value is not None}


def codes(answer: Answer) -> list[tuple[int, str]]:
    """Row and code of each refused row."""
    assert answer.rejected_count == len(answer.rejected)
    assert answer.received == answer.inserted + answer.updated + answer.unchanged + answer.rejected_count
    return [(reject.row, reject.code) for reject in answer.rejected]


async def contracts(db: Database) -> list[tuple[object, ...]]:
    """Exchange, symbol, kind, canonical id of the entity and multiplier of every instrument."""
    rows = await db.reads.fetch(
        """select e.slug, i.symbol, i.kind, t.canonical_id, i.multiplier
        from instrument i join exchange e on e.id = i.exchange_id left join entity t on t.id = i.entity_id
        order by e.slug, i.symbol, i.kind"""
    )
    return [tuple(row) for row in rows]


async def stored(db: Database, table: str, *columns: str) -> list[tuple[object, ...]]:
    """Columns of every fact of a table, with symbol and source in front."""
    rows = await db.reads.fetch(
        f"""select i.symbol, o.slug{"".join(f", f.{column}" for column in columns)}
        from {table} f join series s on s.id = f.series_id join instrument i on i.id = s.instrument_id
        join source o on o.id = s.source_id order by f.ts, i.symbol, o.slug"""
    )
    return [tuple(row) for row in rows]


OPTION = "BTC-27DEC24-100000-C"


def option(**fields: object) -> Row:
    """How one option stood, without greeks, unless told otherwise; None leaves a field out."""
    row = {"time": "2024-12-01T00:00:01.25Z", "exchange": "deribit", "instrument": OPTION, "bid": 0.02, "ask": 0.021,
           "mark": 0.0205, "mark_iv": 0.61, "underlying": 96500.5, "index_price": 96400.0, "open_interest": 120.5,
           "volume": 3.1, **fields}  # fmt: skip
    return {name: value for name, value in row.items() if value is not None}
