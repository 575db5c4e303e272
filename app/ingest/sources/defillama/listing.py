"""Things as DefiLlama lists them: what each is called there, and how it stands now, in one answer."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, TypeAdapter

from app.ingest import spec
from app.ingest.sources.defillama.naming import Told
from app.ingest.sources.defillama.reading import DOCS, HOUR, READY, midnight, values
from app.ingest.spec import Bad, Feed, Json, Request, Rows, Window, Wire
from app.records import BadRecord, SourceAsset

Raw = dict[str, Json]


def _digits(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _no_text(value: object) -> object:
    return None if value in ("", "-") else value


Id = Annotated[str, Field(min_length=1), BeforeValidator(_digits)]
"""An id, as text or as an integer."""
MaybeText = Annotated[str | None, BeforeValidator(_no_text)]
"""Text, or None where the upstream sends null, an empty string or a dash."""

_id: TypeAdapter[str] = TypeAdapter(Id)


class Label(Wire):
    """What a thing is called."""

    id: Id
    name: Id
    ticker: MaybeText
    coingecko_id: MaybeText


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of things: the type of its ids, and under which keys of a row stands what."""

    id_type: str
    id: str
    name: str
    ticker: str = ""
    coingecko_id: str = ""

    def asset(self, row: Raw) -> SourceAsset:
        """A row as a thing that is listed. Raises ValueError."""
        keys = {"id": self.id, "name": self.name, "ticker": self.ticker, "coingecko_id": self.coingecko_id}
        told = Label.model_validate({field: row.get(key) for field, key in keys.items()})
        return SourceAsset(self.id_type, told.id, told.name, told.ticker, told.coingecko_id)

    def id_of(self, row: Raw) -> str:
        """The id alone, which is enough for numbers. Raises ValueError."""
        return _id.validate_python(row.get(self.id))


def bad(id: object, error: ValueError) -> Bad:
    """Why a row is none."""
    return Bad(
        id if isinstance(id, str) else None, error.code if isinstance(error, BadRecord) else "unreadable", str(error)
    )


def fields(item: Json) -> Raw:
    """A row that is an object. Raises ValueError."""
    if not isinstance(item, dict):
        raise ValueError("an object expected")
    return cast("Raw", item)


def assets(kind: Kind, items: Iterable[Json]) -> Iterator[SourceAsset | Bad]:
    """What is listed, row by row."""
    for item in items:
        try:
            yield kind.asset(fields(item))
        except ValueError as error:
            yield bad(cast("Raw", item).get(kind.id) if isinstance(item, dict) else None, error)


def things(kind: Kind, items: list[Json], numbers: Callable[[Raw], Iterable[Told]], window: Window) -> Rows:
    """What is listed, and the numbers of each: a name that cannot be read costs none of them."""
    yield from assets(kind, items)
    for item in items:
        try:
            row = fields(item)
            id = kind.id_of(row)
        except ValueError:
            continue  # among the assets this was refused
        yield from values(numbers(row), kind.id_type, id, midnight(window.start))


def listing(request: Request, answer: Any, rows: Callable[[Any, Window], Rows], *, needs_key: bool = False) -> Feed:
    """All things of a kind and how they stand now."""
    asked = spec.always(request)
    return Feed("fundamentals", "market", asked, answer, rows, HOUR, DOCS, ready_after=READY, needs_key=needs_key)
