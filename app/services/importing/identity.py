"""Whose fact a row is: from the words it names to one series, never by a guess.

Everything here happens in memory. What rows make new (entities, contracts, series) is kept in the `Directory` until
`listing.make` writes it, in the transaction of the facts themselves.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.services.entity_match import Matcher
from app.services.importing.book import Book, Contract, Named, Refusal, check_words, listed
from app.services.importing.datasets import PERPETUALS
from app.services.importing.metric_book import Measured, MetricBook, check_metric_words
from app.services.names import base_of, split_multiplier
from app.services.option_names import Terms, index_of, option_of

NAMED = 20
OPTIONS_ARE = "such as BTC-27DEC24-100000-C or XRP_USDC-2OCT26-1d325-P: the day is not padded, `d` is a decimal point"
PLURAL = {"perp": "perpetuals", "option": "options", "index": "indexes"}


@dataclass(slots=True)
class Directory:
    """What is known, and what this import adds to it. `kinds`: of contracts it is about; new ones are of the first."""

    matcher: Matcher
    create_assets: bool = False
    kinds: Sequence[str] = PERPETUALS
    books: dict[str, Book] = field(default_factory=dict[str, Book])
    new_entities: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    adopted: list[Contract] = field(default_factory=list[Contract])
    new_series: list[tuple[int, Contract, str]] = field(default_factory=list[tuple[int, Contract, str]])
    metrics: MetricBook = field(default_factory=MetricBook)

    def place(self, named: Named) -> tuple[Contract, float]:
        """The contract a row means, and how many coins one unit of its values stands for. Raises Refusal."""
        check_words(named)
        book = self.books[named.exchange]
        if self.kinds != PERPETUALS:
            return self._of_terms(book, named), 1.0
        if not named.instrument:
            return self._perpetual(book, named.asset)
        contract = book.find(named.instrument)
        if contract is None:
            return self._new_contract(book, named)
        return contract, self._agree(book, contract, named.asset)

    def measure(self, named: Named) -> Measured:
        """The series of values a row means: of assets of one name, of that its exchange or source lists.

        Raises Refusal.
        """
        check_metric_words(named)
        book = self.books.get(named.exchange) or Book(named.source, stored=False)
        entity, unit = self._entity(book, named.asset)
        if unit != 1:
            raise Refusal("bad_asset", f"`{named.asset}` is {unit:g} of a coin: name the coin itself")
        return self.metrics.series(self.metrics.find(named), entity, named.exchange)

    def news(self) -> list[str]:
        """What rows made, in words."""
        made = [contract for _, contract, _ in self.new_series if contract.key is None]
        exchanges = {slug for slug in self.new_exchanges() if not self.books[slug].stored}
        told = [f"new exchange `{slug}`" for slug in sorted(exchanges)]
        told += [f"new asset `{name}`" for name, _ in self.new_names()]
        told += _some("new metrics", {f"{m.source} {m.name}" for m in self.metrics.new if m.key is None})
        kind = PLURAL[self.kinds[0]]
        return told + _some(f"new {kind}", {f"{c.exchange} {c.symbol}" for c in made})

    def new_exchanges(self) -> set[str]:
        """Where new contracts are, and new series of values."""
        contracts = {contract.exchange for _, contract, _ in self.new_series}
        return contracts | {measured.exchange for measured in self.metrics.new_series if measured.exchange}

    def new_names(self) -> list[tuple[str, str]]:
        """Canonical id and symbol of the entities that contracts and values with rows need."""
        wanted = {c.entity for c in (*(c for _, c, _ in self.new_series), *self.adopted, *self.metrics.new_series)}
        return sorted((name, symbol) for name, (key, symbol) in self.new_entities.items() if key in wanted)

    def stored(self, entity: int | None) -> tuple[int | None, str | None]:
        """A stored entity by its id, a new one by its canonical id."""
        if entity is None or entity >= 0:
            return entity, None
        return None, next(name for name, (key, _) in self.new_entities.items() if key == entity)

    def _perpetual(self, book: Book, asset: str) -> tuple[Contract, float]:
        """The exchange's one perpetual of the asset, made if there is none."""
        entity, unit = self._entity(book, asset)
        perps = book.perps.get(entity, [])
        if len(perps) > 1:
            names = listed(contract.symbol for contract in perps)
            raise Refusal("ambiguous_instrument", f"{book.exchange} has several perpetuals of `{asset}`: {names}")
        if perps:
            return perps[0], unit
        symbol = self._symbol(asset, unit)
        known = book.by_symbol.get(symbol)
        if known is None:
            return book.add(Contract(book.exchange, symbol, "perp", entity, unit, base=symbol)), unit
        if known.is_hearsay and known.entity == entity:
            return known, unit
        if known.entity is not None or known.kind != "perp":
            raise Refusal("asset_mismatch", f"`{symbol}` on {book.exchange} is another contract: name the instrument")
        return self._adopt(book, known, entity), unit

    def _symbol(self, asset: str, unit: float) -> str:
        """What a perpetual made from an asset alone is called: `BTC`, `kPEPE`."""
        if unit != 1:
            return asset
        canonical = self.matcher.by_canonical.get(asset.lower())
        if canonical is None or asset.lower() in self.matcher.by_symbol:
            return asset.upper()
        symbols = (symbol for symbol, found in self.matcher.by_symbol.items() if canonical in found)
        return next(symbols, asset).upper()

    def _new_contract(self, book: Book, named: Named) -> tuple[Contract, float]:
        """A perpetual nobody has told of yet, under the asset the row names, or its own symbol where that is sure."""
        seeded = self.matcher.by_source_id.get((book.exchange, named.instrument.lower()))
        base = base_of(book.exchange, named.instrument)
        spelled = float(split_multiplier(base)[1])
        if named.asset:
            entity, unit = self._entity(book, named.asset, None if seeded is None else seeded.entity_id)
        else:
            entity, unit = seeded.entity_id if seeded else self._spelled(book, named.instrument, base), 1.0
        multiplier = seeded.multiplier if seeded else spelled if unit == 1 else unit
        return book.add(Contract(book.exchange, named.instrument, "perp", entity, multiplier, base)), unit

    def _of_terms(self, book: Book, named: Named) -> Contract:
        """The option or index a row names, made of the terms its name says if nobody has told of it."""
        contract = book.find(named.instrument)
        if contract is not None:
            self._agree(book, contract, named.asset)
            return contract
        terms = _terms(self.kinds[0], book.exchange, named.instrument)
        if named.asset:
            entity, _ = self._entity(book, named.asset)
        else:
            entity = self._spelled(book, terms.symbol, terms.base)
        return book.add(Contract(book.exchange, terms.symbol, terms.kind, entity, 1.0, terms.base, terms=terms))

    def _spelled(self, book: Book, symbol: str, base: str) -> int:
        found, _ = self.matcher.of_asset(base)
        if len(found) != 1:
            seen = f"`{base}` is {listed(c.canonical_id for c in found)}" if found else f"`{base}` is no known asset"
            raise Refusal("unknown_instrument", f"`{symbol}` on {book.exchange} is new and {seen}: name its `asset`")
        return found[0].id

    def _agree(self, book: Book, contract: Contract, asset: str) -> float:
        """The unit of a row of a known contract, whose entity must be one that `asset` may mean."""
        if not asset:
            return 1.0
        if contract.entity is None:
            entity, unit = self._entity(book, asset)
            self._adopt(book, contract, entity)
            return unit
        found, unit = self._meant(asset)
        if not found:
            raise Refusal("unknown_asset", f"no asset is called `{asset}`")
        if contract.entity not in found:
            raise self._mismatch(contract, asset)
        return unit

    def _entity(self, book: Book, asset: str, seeded: int | None = None) -> tuple[int, float]:
        """The one entity an asset's word means on this exchange, and the unit in the word. Raises Refusal.

        `seeded`: the entity the contract is known to be of, though it is not stored yet.
        """
        found, unit = self._meant(asset)
        if seeded is not None and found:
            if seeded not in found:
                raise Refusal("asset_mismatch", f"the contract is of {self._called(seeded)}, not of `{asset}`")
            return seeded, unit
        if not found:
            return self._new_entity(asset)
        here = [key for key in found if key in book.perps or (book.exchange, key) in self.matcher.listed]
        if len(found) > 1 and len(here) != 1:
            names = listed(map(self._called, found))
            raise Refusal("ambiguous_asset", f"`{asset}` may be {names}: give the canonical id")
        return (found if len(found) == 1 else here)[0], unit

    def _meant(self, asset: str) -> tuple[list[int], float]:
        """Every entity a word may mean, those of this import included."""
        coin, count = split_multiplier(asset)
        made = self.new_entities.get(_slug(coin))
        candidates, unit = self.matcher.of_asset(asset)
        if not candidates and made is not None:
            return [made[0]], float(count)
        return [candidate.id for candidate in candidates], unit

    def _new_entity(self, asset: str) -> tuple[int, float]:
        coin, count = split_multiplier(asset)
        canonical = _slug(coin)
        if not self.create_assets:
            raise Refusal("unknown_asset", f"no asset is called `{asset}`; create_assets=true makes it")
        if not canonical or canonical in self.matcher.by_canonical:
            raise Refusal("unknown_asset", f"no asset is called `{asset}`, and none can be made of that name")
        self.new_entities[canonical] = (-1 - len(self.new_entities), coin.upper())
        return self.new_entities[canonical][0], float(count)

    def _adopt(self, book: Book, contract: Contract, entity: int) -> Contract:
        """A contract nobody knew the coin of is of the asset its row names."""
        contract.entity = entity
        if contract.kind == "perp":
            book.perps.setdefault(entity, []).append(contract)
        self.adopted.append(contract)
        return contract

    def _mismatch(self, contract: Contract, asset: str) -> Refusal:
        owner = self._called(contract.entity or 0)
        return Refusal("asset_mismatch", f"`{contract.symbol}` on {contract.exchange} is of {owner}, not of `{asset}`")

    def _called(self, entity: int) -> str:
        if entity in self.matcher.by_id:
            return f"`{self.matcher.by_id[entity].canonical_id}`"
        return next((f"`{name}`" for name, (key, _) in self.new_entities.items() if key == entity), "another asset")


def _terms(kind: str, exchange: str, name: str) -> Terms:
    """Raises Refusal for a name that is no option's. An index may be called anything."""
    if kind == "index":
        return index_of(name) or Terms(name, "index", base_of(exchange, name))
    terms = option_of(name)
    if terms is None:
        raise Refusal("bad_instrument", f"`{name}` is no option's name; {OPTIONS_ARE}")
    return terms


def _some(what: str, names: set[str]) -> list[str]:
    """A sentence that names the first of them; none of no names."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return [f"{what}: {', '.join(sorted(names)[:NAMED])}{more}"] if names else []


def _slug(coin: str) -> str:
    return re.sub(r"[\W_]+", "-", coin.lower()).strip("-")[:64]
