"""Rows of the reference routes."""

from typing import ClassVar, Literal

from pydantic import Field

from app.api.schemas import Out, OutTime, Row, column

ASSET = "How it is called in answers: its symbol, or its canonical id where several entities share the symbol."


class EntityRow(Row):
    """What a thing is, whoever lists it."""

    keys: ClassVar[tuple[str, ...]] = ("canonical_id",)

    canonical_id: str = column("Its stable id.")
    name: str = column("Its name.")
    symbol: str = column("Its ticker; several entities may share one.")
    asset: str = column(ASSET)
    type: str = column("chain, protocol, token, stablecoin, equity, index …")
    sector: str | None = column("Its sector; null: not told.")
    instruments: int = column("How many contracts on it are listed now.")


class SourceId(Out):
    """What one source calls an entity."""

    source: str = column("The source.")
    source_id: str = column("The id there.")
    source_id_type: str = column("What kind of id it is.")
    multiplier: float = column("How many of it that id stands for.")


class Contract(Out):
    """One contract on an entity."""

    exchange: str = column("Where it trades.")
    symbol: str = column("Native symbol.")
    kind: str = column("perp, future, option, spot or index.")
    margin: str | None = column("stable or coin; null: not told.")
    quote: str | None = column("Quote currency; null: not told.")
    active: bool = column("Whether it trades now.")


class Held(Out):
    """What is stored of one contract, or of the entity as a whole."""

    dataset: str = column("Which dataset.")
    exchange: str | None = column("Where it trades; null: of the entity as a whole.")
    instrument: str | None = column("Native symbol; null: of the entity as a whole.")
    source: str = column("Who told us.")
    metrics: int | None = column("Of fundamentals: how many metrics; null: of one contract.")
    first: str = column("Oldest fact, RFC 3339.")
    last: str | None = column("Newest fact, RFC 3339.")


class EntityDetail(Row):
    """All that is known of one entity."""

    keys: ClassVar[tuple[str, ...]] = ("canonical_id",)

    canonical_id: str = column("Its stable id.")
    name: str = column("Its name.")
    symbol: str = column("Its ticker.")
    asset: str = column(ASSET)
    type: str = column("chain, protocol, token, stablecoin, equity, index …")
    sector: str | None = column("Its sector; null: not told.")
    source_ids: list[SourceId] = column("What sources call it.")
    instruments: list[Contract] = column("Contracts on it.")
    data: list[Held] = column("What is stored of it, from when to when.")


class Moved(Out):
    """How much a merge moved."""

    source_ids: int = column("Ids in the map.")
    instruments: int = column("Contracts, with their facts.")
    source_assets: int = column("Things that sources list.")
    metric_series: int = column("Series of metrics.")
    metric_values: int = column("Values that joined a series the entity had already.")
    revisions: int = column("Of them those it has another value for: kept as earlier versions.")


class MergedEntity(EntityDetail):
    """An entity after another became it."""

    moved: Moved = column("What came from the other.")


class Candidate(Row):
    """An entity a name may mean."""

    keys: ClassVar[tuple[str, ...]] = ("canonical_id", "multiplier")

    canonical_id: str = column("Its stable id.")
    name: str = column("Its name.")
    symbol: str = column("Its ticker.")
    asset: str = column(ASSET)
    type: str = column("chain, protocol, token, stablecoin, equity, index …")
    sector: str | None = column("Its sector; null: not told.")
    multiplier: float = column("How many of it one unit of that name stands for: 1000 for kPEPE.")


class ExchangeRow(Row):
    """Where things trade."""

    keys: ClassVar[tuple[str, ...]] = ("exchange",)

    exchange: str = column("Its name here.")
    name: str = column("Its own name.")
    funding_interval_hours: float = column("What is assumed where nothing better is known.", "hours")
    instruments: int = column("How many of its contracts are listed now.")
    sources: list[str] = column("Who tells of its contracts; where several tell the same, the first is preferred.")
    docs_url: str | None = column("Its API's documentation.")
    generated: bool = column("Whether it does not exist, and its data was made up to try things out with.")


class Scheduled(Out):
    """One dataset a source tells of."""

    dataset: str = column("Which dataset.")
    facts: list[str] = column("What it is stored as: itself, or the datasets it is the answer to at once.")
    scope: str = column("market: one request for all contracts; instrument: one each.")
    every_s: float = column("How often it is asked for, in seconds.")
    history: bool = column("Whether the past can be asked for.")
    keeps_s: float | None = column("How far back, in seconds; null: since listing, or not at all.")
    docs_url: str = column("Its documentation.")


class SourceRow(Row):
    """Who tells us."""

    keys: ClassVar[tuple[str, ...]] = ("source",)

    source: str = column("Its name here.")
    name: str = column("Its own name.")
    pulled: bool = column("Whether the settings have it pulled on schedule.")
    key_setting: str | None = column("The setting that holds its key; null: it takes none.")
    key_needed: bool = column("Whether it is asked only with a key.")
    key_present: bool = column("Whether that key is set.")
    disabled: str | None = column("Why it is not asked at all, for want of its key; null: it is.")
    schedule: list[Scheduled] = column("What it is asked for, and how often.")
    docs_url: str | None = column("Its documentation; null: it has none.")
    terms_url: str | None = column("Its terms of use; null: it has none.")
    generated: bool = column("Whether what it tells was made up to try things out with.")


class FieldOut(Out):
    """One field of a row."""

    field: str = column("Its name.")
    kind: str = column("time, text, number, integer, boolean, list or json.")
    unit: str | None = column("Its unit; null: it has none.")
    nullable: bool = column("Whether it may be null.")
    description: str | None = column("What it means.")


class DatasetRow(Row):
    """Rows a path answers with."""

    keys: ClassVar[tuple[str, ...]] = ("path", "row")

    dataset: str = column("Which dataset.")
    path: str = column("Where it is asked for.")
    row: str = column("Name of this kind of row; a path may have several, as its parameters say.")
    description: str | None = column("What one row is.")
    fields: list[FieldOut] = column("Its fields, in order.")


class InstrumentRow(Row):
    """One contract, with its facts as they stand now."""

    keys: ClassVar[tuple[str, ...]] = ("exchange", "symbol", "kind")

    exchange: str = column("Where it trades.")
    symbol: str = column("Native symbol.")
    asset: str | None = column("What it is on; null: not known for sure.")
    kind: str = column("perp, future, option, spot or index.")
    margin: str | None = column("stable or coin; null: not told.")
    quote: str | None = column("Quote currency; null: not told.")
    contract_size: float | None = column("One contract, multiplier not included.", "coins, or USD for coin margin")
    multiplier: float = column("How many coins one quoted unit stands for.", "coins")
    funding_interval_hours: float | None = column("As its exchange declares it today; null: it does not.", "hours")
    active: bool = column("Whether it trades now.")
    listed_at: OutTime | None = column("When it was listed; null: not told.")
    delisted_at: OutTime | None = column("When it was taken off; null: it is listed, or not told.")
    oi_sides: int | None = column(
        "1: its exchange tells one side of open interest, 2: only both (stored is one); "
        "null: which it counts is not known, and what it tells is stored as it is."
    )


class FactRow(Row):
    """A stretch of time in which a fact of a contract was the same."""

    keys: ClassVar[tuple[str, ...]] = ("kind", "fact", "from")

    kind: str = column("perp, future, option, spot or index.")
    fact: str = column("A field of the contract: oi_sides, contract_size, multiplier, funding_interval_hours, margin.")
    value: str | None = column("What it was then.")
    from_: OutTime = Field(
        alias="from", description="Since when: as its exchange documents, else when we saw it first."
    )
    to: OutTime | None = column("Until when; null: it is so now.")
    source: str = column("Who told us.")


class IntervalRow(Row):
    """A stretch of settlements with equal intervals; where nothing has settled yet, of one declaration."""

    keys: ClassVar[tuple[str, ...]] = ("from",)

    from_: OutTime = Field(alias="from", description="First settlement with this interval.")
    to: OutTime | None = column("First settlement with another; null: it is the interval now.")
    hours: float = column("The interval.", "hours")
    known: Literal["declared", "inferred", "assumed"] = column(
        "How the intervals of most of its settlements are known."
    )
    settlements: int = column("How many settlements it is read from.")
    gaps: int = column("How many settlements are missing between these, by their spacing; one that was late is not.")
    first_evidence: OutTime | None = column("First settlement whose interval is inferred or declared; null: assumed.")
    last_evidence: OutTime | None = column("Last such settlement; null: all are assumed.")
    source: str = column("Who told of the settlements; of several, by commas.")
    known_at: OutTime = column("When it was first known here that this interval began.")
    declared_hours: float | None = column(
        "What the exchange declared by the last settlement of the stretch, or by now; null: nothing.", "hours"
    )
    declared_at: OutTime | None = column("Since when it declares that, as seen here.")
    disagrees: bool | None = column("Whether that is another interval; null: nothing declared.")
