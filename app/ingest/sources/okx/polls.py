"""What OKX's sockets do not tell of the minute, or tell dearly, and is asked for instead.

One request a minute tells the mark price of every swap; its channel would tell each of them five times a second. The
channel of funding rates pushes every 30 to 90 seconds, so not in every minute: those are asked for too.
"""

from app.ingest import spec
from app.ingest.sources.okx.rest import (
    DOCS,
    MINUTE,
    MINUTES_5,
    PAGE,
    PUBLIC,
    TEST,
    AllMarkets,
    Answer,
    data,
    estimates,
    funding_rate,
    interests_now,
    open_interest,
)
from app.ingest.spec import Feed, Ms, Num, Request, Window, Wire, get
from app.records import PerpMinute

RATIO = "long-short-account-ratio-contract"


class Mark(Wire):
    """`{"instId":"ABC-USDT-SWAP","instType":"SWAP","markPx":"80.2","ts":"1795212345678"}`"""

    instId: str
    markPx: Num
    ts: Ms


def mark(row: Mark, window: Window) -> PerpMinute | None:
    """The mark price of the minute it was told in."""
    return None if row.instId.startswith(TEST) else spec.marked(row.instId, row.ts, row.markPx)


class Ratio(spec.ArrayRow):
    """`["1795212300000","1.08"]`: time, accounts long ÷ accounts short"""

    ts: Ms
    ratio: Num


def account_ratio(window: Window) -> Request:
    """Accounts long ÷ short every five minutes, the last 1440 of them. Whether the ends are inside is not told."""
    times = {"begin": window.start_ms - 1, "end": window.last_ms + 1}
    asked = {"instId": window.symbol, "period": "5m", **times, "limit": PAGE}
    return get(f"/api/v5/rubik/stat/contracts/{RATIO}", costs={RATIO: 1}, **asked)


def ratio(row: Ratio, window: Window) -> PerpMinute | None:
    """Accounts long ÷ accounts short."""
    return PerpMinute(window.symbol, row.ts, {"long_short_ratio": row.ratio}) if window.holds(row.ts) else None


mark_price = spec.always(get("/api/v5/public/mark-price", costs={"mark-price": 1}, instType="SWAP"))
marks, ratios = spec.each(Mark, mark, data, "instId"), spec.each(Ratio, ratio, data)

POLLS = (
    Feed("predicted_funding", "market", funding_rate, AllMarkets, estimates, MINUTE, f"{PUBLIC}-funding-rate"),
    Feed("open_interest", "market", open_interest, AllMarkets, interests_now, MINUTE, f"{PUBLIC}-open-interest"),
    Feed("mark_price", "market", mark_price, AllMarkets, marks, MINUTE, f"{PUBLIC}-mark-price"),
    Feed(
        "long_short",
        "instrument",
        account_ratio,
        Answer,
        ratios,
        MINUTES_5,
        f"{DOCS}/#trading-statistics-rest-api-get-contract-long-short-ratio",
        step=MINUTES_5,
        limit=PAGE,
        history=True,
        keeps=1440 * MINUTES_5,
    ),
)
