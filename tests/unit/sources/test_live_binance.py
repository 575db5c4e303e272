"""Binance's answers name no stream: those to leaving are told from those to subscribing by their number."""

from app.ingest.sources import load
from app.ingest.spec import Said

[SOCKET] = load(["binance"])["binance"].sockets
STREAMS = ["btcusdt@kline_1m", "!markPrice@arr"]


def test_answers_are_told_apart() -> None:
    assert SOCKET.unsubscribe
    taken, left = SOCKET.subscribe(STREAMS), SOCKET.unsubscribe(STREAMS)
    assert isinstance(taken, dict)
    assert left == {**taken, "method": "UNSUBSCRIBE", "id": 2}
    error = {"code": 2, "msg": "Invalid request"}
    assert [SOCKET.said({"result": None, "id": frame["id"]}) for frame in (taken, left)] == [Said.DONE, Said.NOTHING]
    assert [SOCKET.said({"error": error, "id": frame["id"]}) for frame in (taken, left)] == [Said.REFUSED, Said.NOTHING]
    assert SOCKET.about({"result": None, "id": taken["id"]}) is None
