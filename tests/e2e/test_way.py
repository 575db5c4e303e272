"""The way of one funding rate, six hops: from the bytes an exchange sends to the bytes a client gets."""

import json
from datetime import UTC, datetime

import httpx
import respx

from app.db import Database
from app.ingest import jobs
from app.ingest.sources import load
from tests.conftest import SHARED

FUNDING = "fixtures/bybit/funding_history_btcusdt_2026-08-15.json"
LISTED = {
    "symbol": "BTCUSDT", "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": "BTC", "quoteCoin": "USDT",
    "launchTime": "1584230400000", "deliveryTime": "0", "fundingInterval": 480, "settleCoin": "USDT", "symbolType": "",
}  # fmt: skip


def envelope(rows: list[object]) -> dict[str, object]:
    result = {"category": "linear", "list": rows, "nextPageCursor": ""}
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 1786820637599}


def sent() -> bytes:
    """A recorded answer where it lies beside the repository, else one written in its shape."""
    recorded = SHARED / FUNDING
    if recorded.exists():
        return recorded.read_bytes()
    rows = [{"symbol": "BTCUSDT", "fundingRate": "0.0000125", "fundingRateTimestamp": "1786809600000"}]
    return json.dumps(envelope(rows)).encode()


@respx.mock(assert_all_called=False)
async def test_from_an_answer_to_an_answer(
    respx_mock: respx.MockRouter, client: httpx.AsyncClient, clean_database: Database
) -> None:
    exchange = respx_mock.route(host="api.bybit.com")
    pages = [sent()]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v5/market/instruments-info":
            return httpx.Response(200, json=envelope([LISTED]))
        window = (int(request.url.params["startTime"]), int(request.url.params["endTime"]))
        body = json.loads(pages[0])
        rows = [r for r in body["result"]["list"] if window[0] <= int(r["fundingRateTimestamp"]) <= window[1]]
        return httpx.Response(200, json=envelope(rows))

    exchange.mock(side_effect=answer)
    (told, *_) = json.loads(pages[0])["result"]["list"]
    settled = datetime.fromtimestamp(int(told["fundingRateTimestamp"]) / 1000, UTC)
    days = (datetime.now(UTC) - settled).days + 3
    for dataset in ("instruments", "funding"):
        (done,) = await jobs.pull(clean_database, load({"bybit"})["bybit"], dataset, days=days)
        assert done.status == "succeeded", done.error
    stamp = settled.isoformat().replace("+00:00", "Z")
    found = await client.get("/funding/BTC", params={"at": stamp, "per": "native"})
    (row,) = found.json()["data"]
    assert (row["time"], row["exchange"], row["instrument"]) == (stamp, "bybit", "BTCUSDT")
    assert (row["rate"], row["source"], row["kind"]) == (float(told["fundingRate"]), "bybit", "settled")
    assert row["interval_hours"] == 8
