"""Which contracts the names in a look-up mean: all that is wrong with them is told at once, with the rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.api.errors import BadRequest, NotFound, UnknownAsset
from app.api.known import EXCHANGES
from app.api.lookup_rows import SHOWN_ROWS, Told
from app.api.words import nearest
from app.db import Database
from app.services.entities import Entity, find_each
from app.services.lookup import Contract

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Named:
    """The exchange and the entity of each word (None of an empty one)."""

    exchanges: list[str]
    assets: list[Entity | None]


async def name(db: Database, rows: Told) -> Named:
    """Find what is named. Raises BadRequest (exchanges), UnknownAsset, or what becomes 409 with the candidates."""
    await _known_exchanges(db, rows)
    found, unknown = await find_each(db, [word for word in rows.asset.words if word])
    if unknown:
        first = unknown[0]
        hint = f". Did you mean {', '.join(first.nearest)}?" if first.nearest else ""
        reason = "no entity, symbol or source id of that name"
        wrong = [rows.wrong("asset", _row(rows, "asset", error.name), error.name, reason) for error in unknown]
        detail = f"No asset {', '.join(error.name for error in unknown)}{hint}"
        raise UnknownAsset(detail, errors=wrong, candidates=first.nearest)
    return Named([word.lower() for word in rows.exchange.words], [found.get(word) for word in rows.asset.words])


async def _known_exchanges(db: Database, rows: Told) -> None:
    known = [row["slug"] for row in await db.reads.fetch(EXCHANGES)]
    strange = [word for word in rows.exchange.words if word and word.lower() not in known][:SHOWN_ROWS]
    if strange:
        wrong = [rows.wrong("exchange", _row(rows, "exchange", word), word, "no such exchange") for word in strange]
        close = [found for word in strange for found in nearest(word, known, 1)]
        detail = f"No exchange {', '.join(strange)}"
        raise BadRequest(detail, code="unknown_exchange", errors=wrong, candidates=list(dict.fromkeys(close)))


def _row(rows: Told, field: str, word: str) -> int:
    """The first row with a word."""
    column = getattr(rows, field)
    return int(np.argmax(column.codes == column.words.index(word)))


def contracts_of(rows: Told, named: Named) -> tuple[Places, list[Contract]]:
    """The contracts that are asked about, and the place of each row's among them."""
    parts = (rows.exchange, rows.asset, rows.instrument)
    sizes = [len(part.words) + 1 for part in parts]
    codes = np.ravel_multi_index([part.codes + 1 for part in parts], sizes)
    distinct, places = np.unique(codes, return_inverse=True)
    told = zip(*np.unravel_index(distinct, sizes), strict=True)
    return places, [_contract(rows, named, *(int(code) - 1 for code in found)) for found in told]


def _contract(rows: Told, named: Named, exchange: int, asset: int, instrument: int) -> Contract:
    entity = named.assets[asset]
    assert entity is not None  # noqa: S101 - a row without an asset was refused
    return Contract(named.exchanges[exchange], entity.id, None if instrument < 0 else rows.instrument.words[instrument])


def check_symbols(
    rows: Told, codes: Places, contracts: Sequence[Contract], series: Sequence[Sequence[int] | None]
) -> None:
    """Refuse symbols that are no perpetual of their asset on their exchange."""
    told = zip(contracts, series, strict=True)
    strange = [n for n, (contract, ids) in enumerate(told) if contract.symbol and ids is None][:SHOWN_ROWS]
    if strange:
        reason = "no perpetual of this asset on this exchange, as far as we know"
        places = [(int(np.argmax(codes == n)), contracts[n].symbol) for n in strange]
        wrong = [rows.wrong("instrument", row, symbol, reason) for row, symbol in places]
        detail = f"No instrument {', '.join(str(contracts[n].symbol) for n in strange)} of that asset there"
        raise NotFound(detail, code="unknown_instrument", errors=wrong)


def not_listed(named: Named, contracts: Sequence[Contract], series: Sequence[Sequence[int] | None]) -> list[str]:
    """Why rows have no rate: the first exchanges that list no perpetual of an asset."""
    called = {entity.id: entity.asset for entity in named.assets if entity}
    absent = [c for c, ids in zip(contracts, series, strict=True) if ids is None][:SHOWN_ROWS]
    return [f"{c.exchange} has no perpetual of {called[c.entity_id]}, as far as we know" for c in absent]
