"""Questions about options, the indexes they settle by, and order books."""

from typing import Literal, Unpack

from perpstore_client.minutes import Interval
from perpstore_client.question import Answer, Asking, Words, question
from perpstore_client.reference import Listed, Over
from perpstore_client.times import Moment

Grid = Literal["5m", "15m", "30m", "1h", "4h", "8h", "1d"]
Model = Literal["told", "black76"]


class Told(Over, total=False):
    """A window or an instant, of these exchanges, as one source tells it."""

    exchange: Words
    source: str


class OneTold(Over, total=False):
    """The same of one contract, which is on one exchange."""

    exchange: str
    source: str


class State(Listed, total=False):
    """How options stood at an instant, by default now; of the expiry of a day, and as it was known at a time."""

    at: Moment
    known_at: Moment
    expiry: Moment
    exchange: Words
    source: str


class Options(Asking[Answer]):
    """Each question once, for clients that wait and for those that await. All raise a `PerpstoreError`.

    Volatilities are fractions a year. `black76` computes greeks; `told` gives those of the exchange.
    """

    def options(
        self,
        *,
        assets: Words = None,
        exchange: Words = None,
        source: str | None = None,
        at: Moment | None = None,
        known_at: Moment | None = None,
        **more: Unpack[Listed],
    ) -> Answer:
        """Which assets have options, and how many."""
        then = {"at": at, "known_at": known_at}
        return self._ask(question("options", assets=assets, exchange=exchange, source=source, **then, **more))

    def option_chain(self, asset: str, **more: Unpack[State]) -> Answer:
        """The options of an asset: a row a strike and expiry, with its call and its put."""
        return self._ask(question("options", asset, "chain", **more))

    def option_expiries(self, asset: str, **more: Unpack[State]) -> Answer:
        """Expiries of an asset's options, with their open interest and volume."""
        return self._ask(question("options", asset, "expiries", **more))

    def option_surface(
        self, asset: str, *, by: Literal["strike", "delta"] | None = None, **more: Unpack[State]
    ) -> Answer:
        """Implied volatility by expiry and strike or delta."""
        return self._ask(question("options", asset, "surface", by=by, **more))

    def option_term_structure(
        self, asset: str, *, interval: Grid | None = None, expiry: Moment | None = None, **more: Unpack[Told]
    ) -> Answer:
        """Volatility at the money and skew of each expiry, on a grid of `interval`."""
        return self._ask(question("options", asset, "term-structure", interval=interval, expiry=expiry, **more))

    def option_greeks(
        self,
        asset: str,
        *,
        model: Model | None = None,
        interval: Grid | None = None,
        expiry: Moment | None = None,
        **more: Unpack[Told],
    ) -> Answer:
        """Greeks of all options of an asset."""
        return self._ask(question("options", asset, "greeks", model=model, interval=interval, expiry=expiry, **more))

    def option_deliveries(self, asset: str, **more: Unpack[Told]) -> Answer:
        """The prices options were delivered at."""
        return self._ask(question("options", asset, "deliveries", **more))

    def instrument_candles(self, name: str, *, interval: Interval | None = None, **more: Unpack[OneTold]) -> Answer:
        """Candles of one option, made of its trades."""
        return self._ask(question("options", "instruments", name, "candles", interval=interval, **more))

    def instrument_quotes(self, name: str, *, interval: Interval | None = None, **more: Unpack[OneTold]) -> Answer:
        """Quotes of one option, each as told, or as candles of `interval`."""
        return self._ask(question("options", "instruments", name, "quotes", interval=interval, **more))

    def instrument_trades(self, name: str, **more: Unpack[OneTold]) -> Answer:
        """Trades of one option."""
        return self._ask(question("options", "instruments", name, "trades", **more))

    def instrument_depth(self, name: str, *, levels: int | None = None, **more: Unpack[OneTold]) -> Answer:
        """Order books of one option."""
        return self._ask(question("options", "instruments", name, "depth", levels=levels, **more))

    def instrument_greeks(
        self, name: str, *, model: Model | None = None, interval: Grid | None = None, **more: Unpack[OneTold]
    ) -> Answer:
        """Greeks of one option."""
        return self._ask(question("options", "instruments", name, "greeks", model=model, interval=interval, **more))

    def depth(
        self,
        exchange: str,
        name: str,
        *,
        levels: int | None = None,
        source: str | None = None,
        **more: Unpack[Over],
    ) -> Answer:
        """Order books of any contract."""
        return self._ask(question("depth", exchange, name, levels=levels, source=source, **more))

    def index(self, asset: str, **more: Unpack[Told]) -> Answer:
        """Price indexes of an asset."""
        return self._ask(question("index", asset, **more))

    def volatility_index(self, asset: str, **more: Unpack[Told]) -> Answer:
        """Volatility indexes of an asset: fractions a year."""
        return self._ask(question("volatility-index", asset, **more))
