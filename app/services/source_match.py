"""Which entity a thing that a source lists is: by its id there, its name or its CoinGecko id; never a guess."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from app.records import SourceAsset

FoundBy = Literal["source_id", "name", "coingecko_id"]
Key = tuple[str, str]
"""A kind of id, and an id of that kind in lower case."""

FITTING = {"chain_name": frozenset({"chain", "token"}), "stablecoin_id": frozenset({"stablecoin"})}
"""Kinds of id that only some types of entity have."""
EQUITY_PREFIX = "eq-"
NAMED = 5


@dataclass(frozen=True, slots=True)
class Known:
    """An entity as it may be recognised: names (old ones included) and CoinGecko ids in lower case."""

    id: int
    canonical_id: str
    type: str
    names: frozenset[str]
    coingecko_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Match:
    """What a listed thing is and how that is known, or the reason why that is not known."""

    entity_id: int | None = None
    found_by: FoundBy | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All entities, and what is known of one source: which entity its ids are, and which ids entities have there."""

    by_id: Mapping[int, Known]
    by_name: Mapping[str, frozenset[int]]
    by_coingecko: Mapping[str, frozenset[int]]
    mapped: Mapping[Key, int]
    taken: Mapping[tuple[str, int], str]

    @staticmethod
    def of(known: Iterable[Known], mapped: Mapping[Key, int], taken: Mapping[tuple[str, int], str]) -> "Catalogue":
        """Entities indexed by all they are called. `taken`: (kind of id, entity) → the id that is it already."""
        entities = list(known)
        by_name = _index((name, e.id) for e in entities for name in (e.canonical_id, *e.names))
        by_coingecko = _index((name, e.id) for e in entities for name in (e.canonical_id, *e.coingecko_ids))
        return Catalogue({e.id: e for e in entities}, by_name, by_coingecko, mapped, taken)

    def matches(self, listed: Sequence[SourceAsset]) -> list[Match]:
        """What each thing is, in the order of the list.

        One entity is one thing of a kind: what only a CoinGecko id makes an entity yields to what its name makes it,
        and of equals none is it, for the values of one would replace those of the other. Only the map may name several.
        """
        found = [self._match(asset) for asset in listed]
        claims: dict[tuple[str, int], list[int]] = defaultdict(list)
        for place, (asset, match) in enumerate(zip(listed, found, strict=True)):
            if match.entity_id is not None and match.found_by != "source_id":
                claims[asset.id_type, match.entity_id].append(place)
        for (id_type, entity), places in claims.items():
            winner = self.taken.get((id_type, entity)) or _first(listed, found, places)
            for place in places:
                if listed[place].id != winner:
                    found[place] = self._yielding(entity, winner, [listed[at].id for at in places])
        return found

    def _yielding(self, entity: int, winner: str | None, rivals: Sequence[str]) -> Match:
        name = self.by_id[entity].canonical_id
        if winner:
            return Match(reason=f"it would be `{name}`, which is `{winner}` there already")
        return Match(reason=f"{_listed(rivals)} would all be `{name}`")

    def _match(self, asset: SourceAsset) -> Match:
        mapped = self.mapped.get((asset.id_type, asset.id.lower()))
        if mapped is not None:
            return Match(mapped, "source_id")
        named = self.by_name.get(asset.name.lower(), frozenset())
        gecko = self.by_coingecko.get((asset.coingecko_id or "").lower(), frozenset())
        fitting = [key for key in named if fits(self.by_id[key].type, asset)]
        if len(fitting) > 1:
            return Match(reason=f"`{asset.name}` may be {self._called(fitting)}")
        if fitting:
            return self._by_name(asset, fitting[0], gecko)
        if named:
            return Match(reason=f"`{asset.name}` would be {self._called(named)}, which is no {_kind(asset)}")
        return self._by_coingecko(asset, gecko)

    def _by_name(self, asset: SourceAsset, entity: int, gecko: frozenset[int]) -> Match:
        """Its name says so; its CoinGecko id must not say otherwise."""
        known = self.by_id[entity]
        if gecko and entity not in gecko:
            told = f"by its coingecko_id {self._called(gecko)}"
            return Match(reason=f"by its name it is `{known.canonical_id}`, {told}")
        if asset.coingecko_id and not gecko and known.coingecko_ids:
            ids = _listed(known.coingecko_ids)
            return Match(reason=f"its coingecko_id is `{asset.coingecko_id}`, that of `{known.canonical_id}` is {ids}")
        return Match(entity, "name")

    def _by_coingecko(self, asset: SourceAsset, gecko: frozenset[int]) -> Match:
        if len(gecko) > 1:
            return Match(reason=f"coingecko_id `{asset.coingecko_id}` may be {self._called(gecko)}")
        for entity in gecko:
            if not fits(self.by_id[entity].type, asset):
                return Match(reason=f"by its coingecko_id it is {self._called(gecko)}, which is no {_kind(asset)}")
            return Match(entity, "coingecko_id")
        return Match(reason="no entity has its id, name or coingecko_id")

    def _called(self, entities: Iterable[int]) -> str:
        return _listed(f"{self.by_id[key].canonical_id}" for key in entities)


def fits(type: str, asset: SourceAsset) -> bool:
    """Whether an entity of this type can be what is listed: a share only where the ticker says so, and no coin then."""
    if (type == "equity") != _is_equity(asset):
        return False
    return type in FITTING.get(asset.id_type, {type})


def _is_equity(asset: SourceAsset) -> bool:
    return any((word or "").lower().startswith(EQUITY_PREFIX) for word in (asset.ticker, asset.id))


def _kind(asset: SourceAsset) -> str:
    kinds = {"chain_name": "chain", "stablecoin_id": "stablecoin"}
    return "share" if _is_equity(asset) else kinds.get(asset.id_type, "coin")


def _first(listed: Sequence[SourceAsset], found: Sequence[Match], places: Sequence[int]) -> str | None:
    """The one with the strongest claim; None where several claim alike."""
    named = [listed[at].id for at in places if found[at].found_by == "name"]
    strongest = named or [listed[at].id for at in places]
    return strongest[0] if len(strongest) == 1 else None


def _index(pairs: Iterable[tuple[str, int]]) -> dict[str, frozenset[int]]:
    index: dict[str, set[int]] = defaultdict(set)
    for word, key in pairs:
        index[word].add(key)
    return {word: frozenset(keys) for word, keys in index.items()}


def _listed(words: Iterable[str]) -> str:
    spelled = [f"`{word}`" for word in sorted(words)]
    more = f" and {len(spelled) - NAMED} more" if len(spelled) > NAMED else ""
    return ", ".join(spelled[:NAMED]) + more
