"""Which entity a contract is of: its own id first, then the only entity of that symbol; never a guess."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import models
from app.services.names import split_multiplier

Underlying = Literal["coin", "equity", "other"]
COINS = frozenset({"chain", "protocol", "token", "stablecoin"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entity that a name may mean."""

    id: int
    canonical_id: str
    type: str

    def fits(self, underlying: Underlying) -> bool:
        """A contract on a coin is not of a stock with the same ticker, nor the other way."""
        return (self.type in COINS) == (underlying == "coin")


@dataclass(frozen=True, slots=True)
class Matcher:
    """Aliases and symbols of all entities, loaded once for many look-ups. Keys are lower case."""

    by_source_id: Mapping[tuple[str, str], tuple[int, float]]
    by_symbol: Mapping[str, tuple[Candidate, ...]]
    by_canonical: Mapping[str, Candidate]

    @staticmethod
    async def load(connection: AsyncConnection) -> "Matcher":
        """Read all entities and aliases (a few thousand rows)."""
        aliases = models.EntitySourceId
        ids = await connection.execute(select(aliases.source, aliases.source_id, aliases.entity_id, aliases.multiplier))
        by_source_id = {(s, i.lower()): (entity, multiplier) for s, i, entity, multiplier in ids}
        entity = models.Entity
        found = await connection.execute(select(entity.id, entity.canonical_id, entity.type, entity.symbol))
        by_symbol: dict[str, list[Candidate]] = defaultdict(list)
        by_canonical: dict[str, Candidate] = {}
        for key, canonical, kind, symbol in found:
            candidate = Candidate(key, canonical, kind)
            by_symbol[symbol.lower()].append(candidate)
            by_canonical[canonical.lower()] = candidate
        return Matcher(by_source_id, {name: tuple(c) for name, c in by_symbol.items()}, by_canonical)

    def of_instrument(
        self, exchange: str, symbol: str, base: str, underlying: Underlying = "coin"
    ) -> tuple[int | None, float]:
        """Entity (None: not sure) and multiplier of a listed contract."""
        known = self.by_source_id.get((exchange, symbol.lower()))
        if known is not None:
            return known
        coin, multiplier = split_multiplier(base)
        fitting = [c for c in self.by_symbol.get(coin.lower(), ()) if c.fits(underlying)]
        return (fitting[0].id if len(fitting) == 1 else None), multiplier

    def of_asset(self, name: str) -> tuple[tuple[Candidate, ...], float]:
        """Every entity a caller's word may mean, and the multiplier in it: `kPEPE` is PEPE, 1000 of them."""
        for spelled, multiplier in ((name, 1.0), split_multiplier(name)):
            key = spelled.lower()
            if key in self.by_canonical:
                return (self.by_canonical[key],), multiplier
            if key in self.by_symbol:
                return self.by_symbol[key], multiplier
        return (), 1.0
