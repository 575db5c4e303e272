"""`perpstore sources`: which upstreams there are, and what each of them gives."""

from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from app.cli.console import Failure, emit, say, span, table
from app.cli.options import Json

if TYPE_CHECKING:
    from app.ingest.spec import Source
    from app.settings import Settings

Described = dict[str, Any]


def sources(json: Json = False) -> None:
    """List the upstreams and what each gives.

    Their datasets, how often each is asked and how far back it goes, the key it needs, its docs and terms.

    \b
    Examples:
      perpstore sources
      perpstore sources --json
    """
    from app.cli.session import settings

    found = described(settings())
    if json:
        return emit({"sources": found})
    heads = ("SOURCE", "DATASET", "EVERY", "HISTORY", "KEY")
    say(table(heads, (row for source in found for row in _datasets(source))))
    say("\n" + table(("SOURCE", "PULLED", "ASKED AT", "DOCS", "TERMS"), map(_facts, found)))


def source(name: str) -> "Source":
    """One upstream by its id, in any case. Fails naming those there are."""
    known = configured()
    if name.lower() not in known:
        raise Failure(f"no source {name.lower()}; there are {', '.join(known)}. See `perpstore sources`", 2)
    return known[name.lower()]


def configured(ids: Collection[str] = ()) -> "dict[str, Source]":
    """The sources of these ids (of none: all there are) as the settings have them, these checked.

    Raises Failure, which names the setting that is wrong.
    """
    from app.ingest import addresses
    from app.ingest.sources import load
    from app.settings import check_top_instruments, words_of

    try:
        found = load(ids, words_of)
        addresses.check(found)
        check_top_instruments()
    except ValueError as error:
        raise Failure(f"{error}. Correct it in the environment or in .env", 2) from error
    return found


def described(settings: "Settings") -> list[Described]:
    """All upstreams with what an operator wants to know of each."""
    return [_described(source, settings) for source in configured().values()]


def _described(source: "Source", settings: "Settings") -> Described:
    from app.ingest.addresses import base_url
    from app.ingest.runner import key_of, why_disabled

    return {
        "source": source.id,
        "name": source.name,
        "pulled": (not settings.sources or source.id in settings.sources) and why_disabled(source) is None,
        "base_url": base_url(source.id, source.base_url),
        "key_setting": source.key,
        "key_needed": source.key is not None and source.key_required,
        "key_present": key_of(source) is not None,
        "disabled": why_disabled(source),
        "docs_url": source.docs,
        "terms_url": source.terms,
        "datasets": [_dataset(source, name) for name in dict.fromkeys(feed.dataset for feed in source.feeds)],
    }


def _dataset(source: "Source", name: str) -> Described:
    feeds = [feed for feed in source.feeds if feed.dataset == name]
    past = [feed for feed in feeds if feed.history]
    return {
        "dataset": name,
        "every_s": min(feed.every for feed in feeds).total_seconds(),
        "history": bool(past),
        "keeps_days": _days([feed.keeps for feed in past]),
        "docs_url": feeds[0].docs,
    }


def _days(kept: list[timedelta | None]) -> int | None:
    """How far back the one goes that goes farthest; None: as far as there is anything."""
    limits = [limit.days for limit in kept if limit]
    return max(limits) if limits and len(limits) == len(kept) else None


def _datasets(source: Described) -> Iterator[tuple[object, ...]]:
    for row in source["datasets"]:
        keeps = f"{row['keeps_days']} days" if row["keeps_days"] else "all"
        yield source["source"], row["dataset"], span(row["every_s"]), keeps if row["history"] else "none", _key(source)


def _key(source: Described) -> str:
    if not source["key_setting"]:
        return "not needed"
    missing = "missing: disabled" if source["disabled"] else "optional"
    return f"{source['key_setting']} ({'set' if source['key_present'] else missing})"


def _facts(source: Described) -> tuple[object, ...]:
    return source["source"], source["pulled"], source["base_url"], source["docs_url"], source["terms_url"]
