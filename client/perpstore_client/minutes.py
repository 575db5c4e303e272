"""Questions about minutes and what happens in them: perpspecs, changes, wicks, liquidations, long/short, takers."""

from typing import Literal, Unpack

from perpstore_client.market import Instant, Margin
from perpstore_client.question import Answer, Asking, Words, question
from perpstore_client.reference import Listed, Over

Interval = Literal["1m", "5m", "15m", "1h", "4h", "1d"]


class Minutes(Asking[Answer]):
    """Each question once, for clients that wait and for those that await. All raise a `PerpstoreError`."""

    def perpspecs(self, **more: Unpack[Listed]) -> Answer:
        """The named slices of minutes and their fields."""
        return self._ask(question("perpspecs", **more))

    def perp_data(
        self,
        asset: str,
        *,
        perpspecs: Words = None,
        instrument: str | None = None,
        joined: bool | None = None,
        **more: Unpack[Instant],
    ) -> Answer:
        """Minutes of an asset by perpspec: a row a perpspec and minute, or with `joined` a row a minute."""
        return self._ask(
            question("perp-data", asset, perpspecs=perpspecs, instrument=instrument, joined=joined, **more)
        )

    def rolling(
        self,
        asset: str,
        *,
        perpspecs: Words = None,
        fields: Words = None,
        instrument: str | None = None,
        **more: Unpack[Instant],
    ) -> Answer:
        """The same with how each field changed over 1, 5 and 10 minutes, in percent; null where a minute is missing."""
        return self._ask(question("rolling", asset, perpspecs=perpspecs, fields=fields, instrument=instrument, **more))

    def scan(
        self,
        *,
        where: Words = None,
        perpspecs: Words = None,
        fields: Words = None,
        margin: Margin | None = None,
        source: str | None = None,
        **more: Unpack[Over],
    ) -> Answer:
        """Minutes of all assets in which something held: `where="c_chg_5m>3"`; by default the one that closed last."""
        narrow = {"where": where, "perpspecs": perpspecs, "fields": fields, "margin": margin, "source": source}
        return self._ask(question("rolling", **narrow, **more))

    def wicks(
        self,
        asset: str,
        *,
        side: Literal["upper", "lower"] | None = None,
        min_pct: float | None = None,
        min_upper_pct: float | None = None,
        min_lower_pct: float | None = None,
        interval: Interval | None = None,
        exchange: Words = None,
        margin: Margin | None = None,
        source: str | None = None,
        **more: Unpack[Over],
    ) -> Answer:
        """Candles whose wicks are that long, in percent of the price."""
        least = {"min_pct": min_pct, "min_upper_pct": min_upper_pct, "min_lower_pct": min_lower_pct}
        narrow = {"exchange": exchange, "margin": margin, "source": source}
        return self._ask(question("wicks", asset, side=side, interval=interval, **least, **narrow, **more))

    def long_short(self, asset: str, *, interval: Interval | None = None, **more: Unpack[Instant]) -> Answer:
        """Accounts long for each that is short, as sampled or on a grid of `interval`."""
        return self._ask(question("long-short", asset, interval=interval, **more))

    def taker_volume(self, asset: str, *, interval: Interval | None = None, **more: Unpack[Instant]) -> Answer:
        """What takers bought and sold, in coins."""
        return self._ask(question("taker-volume", asset, interval=interval, **more))

    def liquidations(
        self,
        asset: str,
        *,
        side: Literal["long", "short"] | None = None,
        interval: Interval | None = None,
        **more: Unpack[Instant],
    ) -> Answer:
        """Liquidations of positions of a `side`, each as told, or summed by `interval`."""
        return self._ask(question("liquidations", asset, side=side, interval=interval, **more))
