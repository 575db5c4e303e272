"""DefiLlama: what is locked in chains and protocols, what they take in and trade, stablecoins and bridges.

Without a key its free hosts are asked. With one all goes to the host of subscribers, where the key is a part of the
path and the free hosts are folders; there perpetuals and flows are told as well. Everything is told per day, of the
running day as it stands now, in US dollars; what is of now is stamped 00:00 UTC of its day.
"""

import re
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

from app.ingest import spec
from app.ingest.sources.defillama import bridges, chains, flows, metrics, overview, protocols, stablecoins
from app.ingest.sources.defillama.reading import API, BRIDGES, COSTS, DOCS, STABLECOINS
from app.ingest.spec import Json, Request, Trouble

PRO = "https://pro-api.llama.fi"
FOLDERS = {API: "api", STABLECOINS: "stablecoins", BRIDGES: "bridges"}
PATHS = re.compile(r"/\S+")
"""What an error may repeat of what was asked, the key among it."""


FEW = 4
"""An answer has more keys than that, an error in place of one has fewer."""


def problem(status: int, body: Json) -> spec.Problem | None:
    """`{"message":"Protocol not found"}`, or the bare words, mostly with status 400 or 404: it has no such thing."""
    answered = 200 <= status < 300
    match body:
        case {"message": str(message)} | {"error": str(message)} if not answered or len(body) < FEW:
            pass
        case str(message):
            pass
        case _:
            return None
    words = PATHS.sub("…", message) or f"HTTP {status}"
    if answered or status in (400, 404):
        return spec.Problem(Trouble.ABSENT, "message" if answered else str(status), words)
    return spec.told(status, status, words, too_many=(), busy=(408,))


def signed(request: Request, key: str | None) -> Request:
    """The same question to the host of subscribers, if there is a key."""
    if key is None:
        return request
    folder = FOLDERS[request.base or API]
    return replace(request, base=PRO, path=f"/{quote(key, safe='')}/{folder}{request.path}")


SOURCE = spec.Source(
    id="defillama",
    name="DefiLlama",
    base_url=API,
    # free: about 500 a minute, of subscribers twice that
    budgets={name: spec.Budget(480, timedelta(minutes=1)) for name in COSTS},
    feeds=(
        chains.CHAINS,
        protocols.PROTOCOLS,
        stablecoins.NOW,
        bridges.NOW,
        *overview.NOW,
        chains.NOW,
        flows.NOW,
        chains.CHAIN_TVL,
        chains.DAYS,
        overview.CHAIN_DAYS,
        protocols.PROTOCOL_DAYS,
        overview.PROTOCOL_DAYS,
        stablecoins.DAYS,
        bridges.DAYS,
    ),
    docs=DOCS,
    terms="https://defillama.com/terms",
    key="DEFILLAMA_API_KEY",
    key_required=False,
    signed=signed,
    metrics=metrics.ALL,
    problem=problem,
)
