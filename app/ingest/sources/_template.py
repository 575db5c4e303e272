"""How to write a source: copy this file to `<id>.py`, put its payloads into tests/payloads/<id>/, run the tests.

A source is facts and pure functions: no requests, no clock, no database, nothing imported but what you see here, the
standard library and pydantic. The engine asks, pages, waits, retries, stores and schedules. The loader finds the file
by its name; one that begins with an underscore, like this one, it passes over.

Say first what holds for every answer of the upstream: how times and numbers are written, what quantities count,
whether the ends of a window are inside and how rows are sorted.
"""

from dataclasses import replace
from datetime import timedelta
from operator import attrgetter
from typing import Literal

from app.ingest import spec
from app.ingest.spec import Feed, Json, MaybeMs, Ms, Num, Request, Window, Wire, get
from app.records import FundingRate, Instrument

DOCS = "https://docs.example.com/api"
PAGE = 100


# Errors that come as ordinary answers. Without this function only the HTTP status tells that something is wrong.
def problem(status: int, body: Json) -> spec.Problem | None:
    """`{"code":1002,"message":"unknown symbol"}`"""
    match body:
        case {"code": int(code), "message": str(message)} if code != 0:
            return spec.told(status, code, message, too_many={1015}, busy={1000})
        case _:
            return None


# The envelope: strict, for whatever does not fit is kept and reported. Rows stay raw, each is read by itself later on.
class Answer(Wire):
    """`{"code":0,"rows":[...]}`"""

    code: Literal[0]
    rows: list[Json]


# A wire model has only the fields we read, by the upstream's own names, and a sample row to read it by. `Ms`, `Num`
# and their Maybe forms know how times and numbers are sent; a field that may be missing altogether has a default.
class Contract(Wire):
    """`{"symbol":"ABC-PERP","base":"ABC","quote":"USDC","intervalHours":8,"listed":1795190400000,"state":"open",...}`"""

    symbol: str
    base: str
    quote: str
    intervalHours: float
    listed: MaybeMs
    state: str


# One row → one record; None for a row that is not ours. A multiplier stays in the base: 1000ABC, kABC.
def contract(row: Contract, window: Window) -> Instrument | None:
    """All contracts there are; the words `Instrument` knows say what each field means."""
    if row.state == "test":
        return None
    return Instrument(
        row.symbol,
        row.base,
        row.quote,
        funding_interval_hours=row.intervalHours,
        active=row.state == "open",
        listed_at=row.listed,
    )


class Settlement(Wire):
    """`{"symbol":"ABC-PERP","time":1795190400000,"rate":"0.0001"}`"""

    symbol: str
    time: Ms
    rate: Num


# What to ask for a window `[start, end)`: always both ends, and what it costs of which budget.
def funding_history(window: Window) -> Request:
    """Settled rates of one contract since listing."""
    times = {"from": window.start_ms, "to": window.last_ms}
    return get("/funding", costs={"calls": 1}, symbol=window.symbol, **times, limit=PAGE)


# Percent, basis points, 8-hourly or unsigned rates become a signed fraction of one interval here, and nowhere else.
def settlement(row: Settlement, window: Window) -> FundingRate:
    """What was paid, a fraction of one interval."""
    return FundingRate(row.symbol, row.time, row.rate)


contracts = spec.always(get("/contracts", costs={"calls": 1}))
instruments = spec.each(Contract, contract, attrgetter("rows"))
settlements = spec.each(Settlement, settlement, attrgetter("rows"))

# `every`: often enough, and all contracts together below a third of the budget (a test counts). `limit` is how many
# rows one answer holds at most; none for an upstream that answers with all it has: keep the rows the window holds.
FUNDING = Feed("funding", "instrument", funding_history, Answer, settlements, timedelta(minutes=10), f"{DOCS}#funding")

SOURCE = spec.Source(
    id="_template",
    name="Example",
    base_url="https://api.example.com",
    budgets={"calls": spec.Budget(100, timedelta(minutes=1))},
    feeds=(
        Feed("instruments", "market", contracts, Answer, instruments, timedelta(hours=1), f"{DOCS}#contracts"),
        replace(FUNDING, step=timedelta(hours=8), limit=PAGE, history=True),
    ),
    docs=DOCS,
    terms="https://example.com/terms",
    problem=problem,
)
