"""The contracts of an exchange as rows name them, and the words of a row that can name one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from app.services.importing.options import SLUG
from app.services.option_names import Terms

PRINTABLE = re.compile(r"[^\x00-\x1f\x7f]{1,128}")


class Refusal(Exception):
    """Why a row that names these words is nobody's: a stable code and a reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Named:
    """The words of a row; empty where it has none. Of a metric's value also its unit and whether it is negative."""

    exchange: str
    instrument: str
    asset: str
    source: str
    metric: str = ""
    unit: str = ""
    negative: str = ""


@dataclass(slots=True)
class Contract:
    """An instrument, stored or to be made (`key` None). `series`: source → id. `entity` below 0: to be made.

    `terms`: those of an option or index to be made.
    `is_hearsay`: only a source that is heard on request tells of it, so that an asset alone does not mean it.
    """

    exchange: str
    symbol: str
    kind: str
    entity: int | None
    multiplier: float
    base: str | None = None
    key: int | None = None
    is_hearsay: bool = False
    terms: Terms | None = None
    series: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(slots=True)
class Book:
    """The contracts of one exchange, by symbol as written, by symbol in any case, and perpetuals by entity."""

    exchange: str
    stored: bool
    by_symbol: dict[str, Contract] = field(default_factory=dict[str, Contract])
    by_folded: dict[str, list[Contract]] = field(default_factory=dict[str, list[Contract]])
    perps: dict[int, list[Contract]] = field(default_factory=dict[int, list[Contract]])

    def add(self, contract: Contract) -> Contract:
        """Keep a contract, perpetuals first: of a future and a perpetual with one symbol the perpetual is meant."""
        if contract.symbol in self.by_symbol:
            return contract
        self.by_symbol[contract.symbol] = contract
        self.by_folded.setdefault(contract.symbol.lower(), []).append(contract)
        if contract.entity is not None and contract.kind == "perp" and not contract.is_hearsay:
            self.perps.setdefault(contract.entity, []).append(contract)
        return contract

    def find(self, symbol: str) -> Contract | None:
        """The contract of this symbol. Raises Refusal where only the case tells several apart."""
        if symbol in self.by_symbol:
            return self.by_symbol[symbol]
        found = self.by_folded.get(symbol.lower(), [])
        if len(found) > 1:
            raise Refusal("ambiguous_instrument", f"`{symbol}` is one of {listed(c.symbol for c in found)}")
        return found[0] if found else None


def check_words(named: Named) -> None:
    """Raises Refusal for words that are missing or can be no name."""
    if not named.exchange:
        raise Refusal("no_exchange", "`exchange` is missing")
    check_slug("bad_exchange", named.exchange)
    check_slug("bad_source", named.source)
    if not (named.instrument or named.asset):
        raise Refusal("no_instrument", "neither `instrument` nor `asset`")
    check_word("bad_instrument", named.instrument)
    check_word("bad_asset", named.asset)


def check_slug(code: str, slug: str) -> None:
    """Raises Refusal for what can be no name of ours."""
    if not SLUG.fullmatch(slug):
        raise Refusal(code, f"`{slug[:80]}` is not a slug: letters, digits, `-` and `_`")


def check_word(code: str, word: str) -> None:
    """Raises Refusal for a word that can be nobody's name; an empty one is none."""
    if word and not PRINTABLE.fullmatch(word):
        raise Refusal(code, f"`{word[:80]}` is longer than 128 characters or has some that are not printable")


def listed(names: Iterable[str]) -> str:
    """Names for a reason."""
    return ", ".join(sorted(names))
