"""What a native symbol spells: the coin, and how many of it one quoted unit stands for.

Pure functions for symbols that no seeded id covers. They read spelling only: whether `META` is the coin or the
share is not in the name, and is decided where the instrument's other facts are known.
"""

import re

_COUNT_FIRST = re.compile(r"(10{3,8})([^\W\d_].*)")
_MILLION = re.compile(r"1M([A-Z]{3,})")
_THOUSAND = re.compile(r"k([A-Z][A-Z0-9]+)")

COUNT_LAST = {"SHIB1000": ("SHIB", 1000)}
"""Bases with the count at the end. Listed, not ruled: indices end in numbers too."""

OWN_SMALL_K = frozenset({"kBTC", "kETH", "kHYPE", "kSOL", "kUSD"})
"""Wrapped and staked coins whose own name begins with a small k."""

NAMED_BY_COIN = frozenset({"hyperliquid", "lighter", "velo"})
"""Whose native symbol is the coin itself, so that no quote is to be cut off."""

_DEX = re.compile(r"[a-z0-9]+:(.+)")
_KRAKEN_KIND = re.compile(r"^(?:P[FIV]|F[FI])_")
_EXPIRY_MONTH = re.compile(r"[FGHJKMNQUVXZ]\d{2}$")
_MONTH_CODED = frozenset({"bitmex", "bybit"})
_QUOTES = ("USDT", "USDC", "USD")
_ENDINGS = (*_QUOTES, "PERP")
_ENDINGS_OF = {"binance": ("FDUSD", "BUSD", *_ENDINGS), "kucoin": ("USDTM", "USDCM", "USDM", *_ENDINGS)}
_OTHER_SPELLINGS = {"XBT": "BTC", "XDG": "DOGE"}


def split_multiplier(base: str) -> tuple[str, int]:
    """The coin, and how many coins one unit of `base` stands for.

    >>> split_multiplier("1000PEPE"), split_multiplier("kPEPE"), split_multiplier("1MBABYDOGE")
    (('PEPE', 1000), ('PEPE', 1000), ('BABYDOGE', 1000000))
    >>> split_multiplier("SHIB1000"), split_multiplier("1INCH"), split_multiplier("KAS"), split_multiplier("XBT")
    (('SHIB', 1000), ('1INCH', 1), ('KAS', 1), ('BTC', 1))
    """
    if base in COUNT_LAST:
        return COUNT_LAST[base]
    if match := _COUNT_FIRST.fullmatch(base):
        return match[2], int(match[1])
    if match := _MILLION.fullmatch(base):
        return match[1], 1_000_000
    if base not in OWN_SMALL_K and (match := _THOUSAND.fullmatch(base)):
        return match[1], 1000
    return _OTHER_SPELLINGS.get(base, base), 1


def base_of(exchange: str, symbol: str) -> str:
    """The coin a native symbol spells, its count prefix included; the symbol itself where there is nothing to cut off.

    >>> base_of("binance", "1000PEPEUSDT"), base_of("bybit", "BTCUSDT-14AUG26"), base_of("okx", "BTC-USD_UM-SWAP")
    ('1000PEPE', 'BTC', 'BTC')
    >>> base_of("hyperliquid", "xyz:NVDA"), base_of("kraken", "PF_XBTUSD"), base_of("gate", "BTC/USDT:USDT")
    ('NVDA', 'BTC', 'BTC')
    """
    coin = _marked_coin(symbol) or _first_part(exchange, symbol)
    return _OTHER_SPELLINGS.get(coin, coin)


def _marked_coin(symbol: str) -> str | None:
    """`BTC/USDT:USDT` → `BTC`, `xyz:NVDA` → `NVDA`; None for symbols of neither shape."""
    if "/" in symbol:
        return symbol.partition("/")[0]
    market = _DEX.fullmatch(symbol)
    return market[1] if market else None


def _first_part(exchange: str, symbol: str) -> str:
    """`BTC-USDT-SWAP`, `BTC-PERPETUAL`, `BTCUSD_PERP`, `BTCUSDT` → `BTC`."""
    if exchange in NAMED_BY_COIN:
        return re.split("[-_]", symbol)[0]
    spelled = symbol.upper() if symbol.islower() else symbol
    first, *rest = re.split("[-_]", _KRAKEN_KIND.sub("", spelled))
    if rest and rest[0] in _QUOTES:
        return first
    # BUSD and FDUSD end plain pairs only: BNBUSD_PERP is BNB against USD.
    return _without_quote(first, exchange, _ENDINGS if rest else _ENDINGS_OF.get(exchange, _ENDINGS))


def _without_quote(pair: str, exchange: str, endings: tuple[str, ...]) -> str:
    """`BTCUSDT` → `BTC`, `XRPU21` → `XRP`; what is nothing but a quote stays."""
    name = _EXPIRY_MONTH.sub("", pair) if exchange in _MONTH_CODED else pair
    ending = next((e for e in endings if name.endswith(e) and name != e), "")
    return name.removesuffix(ending)
