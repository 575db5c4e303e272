"""Rows of protocols as values, and beside those of the parts of a parent (aave-v2, aave-v3) their sum (aave)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import fsum

from app.ingest.sources.defillama.listing import Raw, bad, fields
from app.ingest.sources.defillama.naming import Told
from app.ingest.sources.defillama.reading import value
from app.ingest.spec import Bad, Json
from app.records import BadRecord, Metric, MetricValue

SLUG, CHAIN = "protocol_slug", "chain_name"
Values = Iterator[MetricValue | Bad]


@dataclass(frozen=True, slots=True)
class Part:
    """The numbers of one row: of whom they are, and the slug of the parent, if it has one."""

    id_type: str
    id: str
    parent: str | None
    numbers: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """A row that cannot be read. Sums of its `parent` (None: of nobody knows whom) would be too small."""

    bad: Bad
    parent: str | None
    has_parent: bool = True


def parent_of(row: Raw) -> str | None:
    """`{"parentProtocol":"parent#aave","parentProtocolSlug":"aave"}`, of which overviews have the first alone."""
    slug, parent = row.get("parentProtocolSlug"), row.get("parentProtocol")
    if isinstance(slug, str) and slug:
        return slug
    if isinstance(parent, str):
        return parent.removeprefix("parent#") or None
    if slug or parent:
        raise BadRecord("no_parent", f"parentProtocol is {str(parent)[:80]!r}")
    return None


def read_parts(items: Iterable[Json], read: Callable[[Raw], Part]) -> Iterator[Part | Lost]:
    """Each row by itself: `read` makes a part of it, or raises ValueError."""
    for item in items:
        row: Raw = {}
        try:
            row = fields(item)
            yield read(row)
        except ValueError as error:
            yield _lost(row, bad(row.get("slug"), error))


def _lost(row: Raw, why: Bad) -> Lost:
    try:
        parent = parent_of(row)
    except BadRecord:
        return Lost(why, None)
    return Lost(why, parent, has_parent=parent is not None)


def with_parents(parts: Iterable[Part | Lost], time: datetime) -> Values:
    """Each part's values, chains first, then the sums of parents: where one thing is told twice the last counts."""
    parts = list(parts)
    whole = [part for part in parts if isinstance(part, Part)]
    parents = {part.parent for part in whole if part.parent}
    sums: dict[tuple[str, Metric], list[MetricValue | Bad]] = defaultdict(list)
    for part in sorted(whole, key=lambda part: part.id_type != CHAIN):
        for told in part.numbers:
            item = value(told, part.id_type, part.id, time)
            if item and part.parent and told.adds:
                sums[part.parent, told.metric].append(item)
            if item and not (part.id_type == SLUG and part.id in parents):
                yield item
    broken = [part for part in parts if isinstance(part, Lost)]
    yield from (part.bad for part in broken)
    yield from _sums(sums, {part.parent for part in broken if part.has_parent}, time)


def _sums(sums: Mapping[tuple[str, Metric], list[MetricValue | Bad]], short: set[str | None], time: datetime) -> Values:
    for (parent, metric), items in sums.items():
        told = [item.value for item in items if isinstance(item, MetricValue)]
        if None in short or parent in short or len(told) < len(items):
            yield Bad(parent, "part_unreadable", f"{metric.name}: not all parts can be read, so they have no sum")
        elif total := value(Told(metric, fsum(told)), SLUG, parent, time):
            yield total
