"""What is asked for: a window of one request, and the aim that a batch of them is to cover."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.records import Instrument, Venue


@dataclass(frozen=True, slots=True)
class Window:
    """What to ask for: `[start, end)`, of one instrument or (None) of all markets, from `cursor` on.

    `instruments` are all contracts of the source known so far, by symbol, for feeds that answer for many at once. A
    batch names what it is about itself: `subjects` in the source's own words, on these `exchanges` (our slugs), and
    which `columns` of them.
    """

    start: datetime
    end: datetime
    instrument: Instrument | None = None
    instruments: Mapping[str, Instrument] = field(default_factory=dict[str, Instrument])
    cursor: str | None = None
    subjects: tuple[str, ...] = ()
    exchanges: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    @property
    def one(self) -> Instrument:
        """The one instrument asked for."""
        if self.instrument is None:
            raise ValueError("this window is for all markets")
        return self.instrument

    @property
    def symbol(self) -> str:
        """The native symbol of the one instrument asked for."""
        return self.one.symbol

    @property
    def upstream_id(self) -> str:
        """What the exchange calls the one instrument asked for, where that is not its symbol."""
        if self.one.upstream_id is None:
            raise ValueError(f"{self.symbol} was listed without an id")
        return self.one.upstream_id

    @property
    def start_ms(self) -> int:
        """First instant asked for, epoch milliseconds."""
        return round(self.start.timestamp() * 1000)

    @property
    def last_ms(self) -> int:
        """Last millisecond inside the window, for upstreams whose end is inclusive."""
        return round(self.end.timestamp() * 1000) - 1

    def holds(self, time: datetime) -> bool:
        """Whether `time` is inside, for upstreams whose answers reach past what was asked for."""
        return self.start <= time < self.end


@dataclass(frozen=True, slots=True)
class Aim:
    """What a batch feed is to cover: `[start, end)` of these things of its source.

    `live`: how things stand now is wanted, or the newest full periods; else history. `assets` are the ids that are of
    an entity, by type of id; `pairs` the (exchange slug, coin) of a source that tells of perpetuals; `venues` the
    exchanges whose perpetuals are to be listed, which are no sources themselves; `metrics` the names the catalogue has
    of the source. `keyed`: there is a key.
    """

    start: datetime
    end: datetime
    live: bool
    assets: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    pairs: frozenset[tuple[str, str]] = frozenset()
    venues: tuple[Venue, ...] = ()
    metrics: tuple[str, ...] = ()
    keyed: bool = False
