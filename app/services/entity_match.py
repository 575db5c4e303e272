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
OURS, OLD_ID = "perpstore", "canonical_id"
"""Source and kind, in the map, of the canonical ids of entities that were merged into others."""


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
class Alias:
    """An entity as one source calls it, and how many coins that name stands for."""

    entity_id: int
    multiplier: float


@dataclass(frozen=True, slots=True)
class Matcher:
    """Names of all entities, loaded once for many look-ups. Keys are lower case, but for canonical ids."""

    by_source_id: Mapping[tuple[str, str], Alias]
    by_any_id: Mapping[str, frozenset[Alias]]
    by_symbol: Mapping[str, tuple[Candidate, ...]]
    by_canonical: Mapping[str, Candidate]
    by_id: Mapping[int, Candidate]
    listed: frozenset[tuple[str, int]]

    @staticmethod
    async def load(connection: AsyncConnection) -> "Matcher":
        """Read all entities and aliases (a few thousand rows)."""
        alias, entity = models.EntitySourceId, models.Entity
        told = await connection.execute(
            select(alias.source, alias.source_id, alias.source_id_type, alias.entity_id, alias.multiplier)
        )
        by_source_id: dict[tuple[str, str], Alias] = {}
        by_any_id: dict[str, set[Alias]] = defaultdict(set)
        merged: dict[str, int] = {}
        for source, name, kind, key, multiplier in told:
            if (source, kind) == (OURS, OLD_ID):
                merged[name] = key
            by_source_id[source, name.lower()] = Alias(key, multiplier)
            by_any_id[name.lower()].add(Alias(key, multiplier))
        found = await connection.execute(select(entity.id, entity.canonical_id, entity.type, entity.symbol))
        by_symbol: dict[str, list[Candidate]] = defaultdict(list)
        by_canonical: dict[str, Candidate] = {}
        for key, canonical, kind, symbol in found:
            by_canonical[canonical] = Candidate(key, canonical, kind)
            by_symbol[symbol.lower()].append(by_canonical[canonical])
        by_id = {candidate.id: candidate for candidate in by_canonical.values()}
        return Matcher(
            by_source_id,
            {name: frozenset(aliases) for name, aliases in by_any_id.items()},
            {name: tuple(candidates) for name, candidates in by_symbol.items()},
            {name: by_id[key] for name, key in merged.items()} | by_canonical,
            by_id,
            frozenset((source, known.entity_id) for (source, _), known in by_source_id.items()),
        )

    def of_instrument(
        self, exchange: str, symbol: str, base: str, underlying: Underlying = "coin"
    ) -> tuple[int | None, float]:
        """Entity (None: not sure) and multiplier of a listed contract."""
        known = self.by_source_id.get((exchange, symbol.lower()))
        if known is not None:
            return known.entity_id, known.multiplier
        coin, multiplier = split_multiplier(base)
        fitting = [c for c in self.by_symbol.get(coin.lower(), ()) if c.fits(underlying)]
        return (fitting[0].id if len(fitting) == 1 else None), multiplier

    def of_ticker(self, base: str) -> int | None:
        """The coin of a ticker that nothing else has, no share either."""
        found = self.by_symbol.get(split_multiplier(base)[0].lower(), ())
        return found[0].id if len(found) == 1 and found[0].fits("coin") else None

    def of_asset(self, name: str, exchange: str | None = None) -> tuple[tuple[Candidate, ...], float]:
        """Every entity a caller's word may mean, and the multiplier in it: `kPEPE` is PEPE, 1000 of them.

        Of several entities with that symbol, the only one the named exchange is known to list is meant.
        """
        for spelled, multiplier in ((name, 1.0), split_multiplier(name)):
            found, unit = self._named(spelled)
            if len(found) > 1 and exchange is not None:
                found = tuple(c for c in found if (exchange, c.id) in self.listed) or found
            if found:
                return found, multiplier * unit
        return (), 1.0

    def _named(self, name: str) -> tuple[tuple[Candidate, ...], float]:
        """A canonical id as written, a symbol, a canonical id in any case, the id of any source: in this order."""
        key = name.lower()
        if name in self.by_canonical:
            return (self.by_canonical[name],), 1.0
        if key in self.by_symbol:
            return self.by_symbol[key], 1.0
        if key in self.by_canonical:
            return (self.by_canonical[key],), 1.0
        aliases = self.by_any_id.get(key, frozenset())
        units = {alias.multiplier for alias in aliases}
        found = tuple(self.by_id[entity] for entity in sorted({alias.entity_id for alias in aliases}))
        return found, (units.pop() if len(units) == 1 else 1.0)
