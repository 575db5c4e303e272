"""Questions about the market: funding, carry, spreads, open interest, candles."""

from collections.abc import Sequence
from typing import Literal, TypedDict, Unpack

from perpstore_client.lookup import Rows, lookup
from perpstore_client.question import Answer, Asking, Words, question
from perpstore_client.times import Moment

Per = Literal["native", "1h", "8h", "1y"]
Margin = Literal["stable", "coin", "all"]


class Common(TypedDict, total=False):
    """Which contracts, and how many rows: `limit` of them in all, newest first with `order="desc"`."""

    exchanges: Words
    margin: Margin
    known_at: Moment
    limit: int
    order: Literal["asc", "desc"]


class Windowed(Common, total=False):
    """A window `[start, end)`, by default the last 24 hours."""

    start: Moment
    end: Moment
    source: str


class Instant(Windowed, total=False):
    """A window, or one instant without look-ahead: `at`."""

    at: Moment


class Market(Asking[Answer]):
    """Each question once, for clients that wait and for those that await.

    All raise a `PerpstoreError`. `known_at` uses only what was stored by then.
    """

    def funding(
        self,
        asset: str | None = None,
        *,
        assets: Words = None,
        weighted: Literal["oi", "volume", "equal"] | None = None,
        per: Per | None = None,
        kind: Literal["settled", "predicted"] | None = None,
        interval: str | None = None,
        max_age: str | None = None,
        min_coverage: float | None = None,
        detail: Literal["contributors"] | None = None,
        **more: Unpack[Instant],
    ) -> Answer:
        """Settlements of an asset in a window, or the rates in force at `at`; without an asset the market now.

        `weighted` gives the mean over exchanges on a grid of `interval`. Rates are fractions per `per` (8 h by
        default); `rate_native` is what was paid.
        """
        mean = {"interval": interval, "max_age": max_age, "min_coverage": min_coverage, "detail": detail}
        narrow = {"assets": assets, "weighted": weighted, "per": per, "kind": kind}
        return self._ask(question("funding", asset, **narrow, **mean, **more))

    def carry(
        self,
        asset: str,
        *,
        side: Literal["long", "short"] | None = None,
        notional: float | None = None,
        **more: Unpack[Windowed],
    ) -> Answer:
        """What holding each perpetual over a window paid; `paid_usd` (positive: paid) where there is a `notional`."""
        return self._ask(question("funding", asset, "carry", side=side, notional=notional, **more))

    def prediction_error(
        self,
        asset: str,
        *,
        per: Per | None = None,
        buckets: Sequence[float] | None = None,
        **more: Unpack[Windowed],
    ) -> Answer:
        """How far predictions were from what was paid, by exchange and minutes before the settlement.

        `buckets` are the edges of these spans, in ascending minutes.
        """
        return self._ask(question("funding", asset, "prediction-error", per=per, buckets=buckets, **more))

    def spreads(
        self,
        asset: str | None = None,
        *,
        pairs: Literal["best", "all"] | None = None,
        short: str | None = None,
        long: str | None = None,
        interval: str | None = None,
        assets: Words = None,
        per: Per | None = None,
        min_spread: float | None = None,
        min_oi_usd: float | None = None,
        horizon_hours: float | None = None,
        lookback_hours: int | None = None,
        fees: Literal["taker", "maker", "none"] | None = None,
        fee_rates: Words = None,
        sort: str | None = None,
        **more: Unpack[Instant],
    ) -> Answer:
        """Spreads of an asset over time: the best pair, all pairs, or `short` less `long`; without one the ranking.

        `min_spread` is per `per`, as `spread` is; `spread_apr` is per year. `fee_rates`: `okx:0.0005`, a trade.
        """
        over_time = {"pairs": pairs, "short": short, "long": long, "interval": interval, "min_spread": min_spread}
        held = {"horizon_hours": horizon_hours, "lookback_hours": lookback_hours, "min_oi_usd": min_oi_usd}
        ranked = {"assets": assets, "fees": fees, "fee_rates": fee_rates, "sort": sort}
        return self._ask(question("spreads", asset, per=per, **over_time, **held, **ranked, **more))

    def open_interest(
        self,
        asset: str,
        *,
        interval: str | None = None,
        aggregate: Literal["none", "sum"] | None = None,
        max_age: str | None = None,
        **more: Unpack[Instant],
    ) -> Answer:
        """One-sided open interest in coins and USD: samples, the state on a grid of `interval`, or the sum."""
        return self._ask(
            question("open-interest", asset, interval=interval, aggregate=aggregate, max_age=max_age, **more)
        )

    def candles(
        self,
        asset: str,
        *,
        interval: Literal["1m", "5m", "15m", "1h", "4h", "1d"] | None = None,
        **more: Unpack[Instant],
    ) -> Answer:
        """Candles that open in a window (by default of one minute); with `at` the last one closed by then."""
        return self._ask(question("candles", asset, interval=interval, **more))

    def lookup(
        self, rows: Rows, *, per: Per = "8h", known_at: Moment | None = None, source: str | None = None
    ) -> Answer:
        """The rate in force at each of up to 100,000 `(time, exchange, asset)`, in the order asked; null: none.

        `rows` are tuples, dictionaries, or a frame with these columns. What is answered is `time, exchange, asset,
        rate, rate_native, interval_hours, age_s`. Raises ValueError for rows of another shape.
        """
        return self._ask(lookup(rows, per, known_at, source))
