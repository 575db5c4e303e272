"""What a chunk of a back-fill asks, read from what was planned: maybe by another version, or with other settings."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from app.ingest.plan import Stretch, windows
from app.ingest.spec import Feed, Source, Window
from app.records import Instrument


class Gone(LookupError):
    """What a chunk is about is not there any more: its feed, or its contract."""


def restored(source: Source, told: Mapping[str, Any], known: Mapping[str, Instrument]) -> tuple[Feed, list[Window]]:
    """The feed and windows of a chunk. Raises Gone for a feed or a contract that is not known any more."""
    feed = _feed(source, told)
    start, end = (datetime.fromisoformat(told[name]) for name in ("start", "end"))
    if feed.scope == "market":
        return feed, list(windows(Stretch(feed, start, end, live=False), known))
    if not told["symbol"]:
        batch = {name: tuple(told[name]) for name in ("subjects", "exchanges", "columns")}
        return feed, [replace(Window(start, end), **batch)]
    if (contract := known.get(told["symbol"])) is None:
        raise Gone(f"{source.id} lists no contract {told['symbol']} any more")
    return feed, list(windows(Stretch(feed, start, end, contract, live=False), known))


def _feed(source: Source, told: Mapping[str, Any]) -> Feed:
    """The feed of that name; of several the one in its old place, for nothing else tells them apart."""
    alike = {number: feed for number, feed in enumerate(source.feeds) if name_of(feed) == told["feed"]}
    number = next(iter(alike)) if len(alike) == 1 else told.get("number")
    if number not in alike:
        raise Gone(f"{source.id} is not asked any more the way this window was planned ({told['feed']}): order it anew")
    return alike[number]


def name_of(feed: Feed) -> str:
    """What a feed is called in a chunk, which later versions read: not its place, which changes."""
    return f"{feed.dataset} {feed.scope} {feed.request.__qualname__}"
