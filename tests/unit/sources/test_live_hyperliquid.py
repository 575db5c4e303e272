"""Hyperliquid's answers to subscriptions: each is about one, whatever else it holds."""

from typing import Any

import pytest

from app.ingest.sources import load

[SOCKET] = load(["hyperliquid"])["hyperliquid"].sockets
TOPIC = {"type": "candle", "coin": "kBAR", "interval": "1m"}


def answer(subscription: Any) -> dict[str, Any]:
    return {"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": subscription}}


@pytest.mark.parametrize(
    "frame",
    [
        answer(TOPIC),
        answer({"interval": "1m", "nSigFigs": None, "coin": "kBAR", "type": "candle"}),
        {"channel": "error", "data": 'Invalid subscription {"type":"candle","coin":"kBAR","interval":"1m"}'},
        {"channel": "error", "data": 'Already subscribed: {"type":"candle","coin":"kBAR","interval":"1m"}'},
    ],
)
def test_an_answer_is_about_its_topic(frame: Any) -> None:
    assert SOCKET.about(frame) == TOPIC


@pytest.mark.parametrize(
    "frame",
    [
        answer(None),
        answer([]),
        {"channel": "error", "data": "Too many subscriptions"},
        {"channel": "error", "data": "Invalid subscription {"},
        {"channel": "error", "data": None},
        {"channel": "pong"},
        "pong",
        [],
        None,
    ],
)
def test_others_name_none(frame: Any) -> None:
    assert SOCKET.about(frame) is None


def test_one_topic_a_frame() -> None:
    assert SOCKET.topics_a_frame == 1
    assert SOCKET.unsubscribe
    assert SOCKET.unsubscribe([TOPIC]) == {"method": "unsubscribe", "subscription": TOPIC}
    with pytest.raises(ValueError, match="too many values"):
        SOCKET.subscribe([TOPIC, TOPIC])
