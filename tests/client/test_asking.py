"""How the clients ask: what goes over the wire, when it goes again, what is raised, and that the key stays with us."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any

import anyio
import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import respx

from perpstore_client import (
    Ambiguous,
    AsyncPerpstoreClient,
    BadRequest,
    NoAccess,
    NotFound,
    PerpstoreClient,
    PerpstoreError,
    Throttled,
    Unavailable,
)
from perpstore_client.transport import as_problems

URL = "http://store.test/prefix"
KEY = "pk_secret-word"
ARROW = "application/vnd.apache.arrow.stream"


def rows() -> httpx.Response:
    sink = pa.BufferOutputStream()
    table = pa.table({"exchange": ["binance"], "rate": [1e-4]}).replace_schema_metadata({"perpstore": '{"per": "8h"}'})
    with pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table)
    return httpx.Response(200, content=sink.getvalue().to_pybytes(), headers={"Content-Type": ARROW})


def told(status: int, code: str, **headers: str) -> httpx.Response:
    document = {"code": code, "detail": "because", "errors": [], "candidates": ["one", "two"], "request_id": "id-1"}
    return httpx.Response(status, json=document, headers={"Content-Type": "application/problem+json", **headers})


@pytest.fixture
def web() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=URL) as router:
        yield router


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited; nobody really waits."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("perpstore_client.client.time.sleep", waited.append)
    monkeypatch.setattr(anyio, "sleep", sleep)
    return waited


@pytest.fixture
def client() -> Iterator[PerpstoreClient[pd.DataFrame]]:
    with PerpstoreClient(URL, KEY) as client:
        yield client


@pytest.fixture
async def awaiting() -> AsyncIterator[AsyncPerpstoreClient[pd.DataFrame]]:
    async with AsyncPerpstoreClient(URL, KEY) as client:
        yield client


def test_parameters_as_the_api_has_them(web: respx.MockRouter, client: PerpstoreClient[Any]) -> None:
    asked = web.get("/instruments").mock(side_effect=lambda _: rows())
    east = timezone(timedelta(hours=2))
    for value, spelled in {
        ("a", "b"): "a,b",
        True: "true",
        0.1: "0.1",
        1e-7: "1e-07",
        datetime(2026, 3, 1, 2, tzinfo=east): "2026-03-01T00:00:00Z",
        datetime(2026, 3, 1): "2026-03-01T00:00:00Z",  # noqa: DTZ001 - what names no offset is UTC
        pd.Timestamp("2026-03-01T00:00:00.5"): "2026-03-01T00:00:00.500000Z",
        date(2026, 3, 1): "2026-03-01T00:00:00Z",
        np.datetime64("2026-03-01"): "2026-03-01T00:00:00Z",
        np.int64(7): "7",
        "2026-03-01": "2026-03-01",
    }.items():
        client.get("instruments", word=value, none=None)
        assert dict(asked.calls.last.request.url.params) == {"word": spelled}


def test_an_asset_is_one_word_of_the_path_whatever_is_in_it(
    web: respx.MockRouter, client: PerpstoreClient[Any]
) -> None:
    asked = web.get(url__startswith=URL).mock(side_effect=lambda _: rows())
    client.funding("A/B ?")
    assert asked.calls.last.request.url.raw_path == b"/prefix/funding/A%2FB%20%3F"
    assert asked.calls.last.request.headers["Accept"] == ARROW


async def test_asked_again_when_it_says_so(
    web: respx.MockRouter,
    client: PerpstoreClient[Any],
    awaiting: AsyncPerpstoreClient[Any],
    pauses: list[float],
) -> None:
    answers = [told(429, "throttled", **{"Retry-After": "7"}), told(503, "unavailable"), rows()]
    web.get("/exchanges").mock(side_effect=answers)
    assert client.exchanges().attrs == {"per": "8h"}
    assert pauses == [7.0, 2.0]
    web.get("/exchanges").mock(side_effect=answers)
    assert (await awaiting.exchanges()).attrs == {"per": "8h"}
    assert pauses == [7.0, 2.0] * 2


async def test_given_up_after_a_few_times(
    web: respx.MockRouter,
    client: PerpstoreClient[Any],
    awaiting: AsyncPerpstoreClient[Any],
    pauses: list[float],
) -> None:
    route = web.get("/exchanges").mock(side_effect=lambda _: told(429, "throttled", **{"Retry-After": "3"}))
    with pytest.raises(Throttled) as late:
        client.exchanges()
    assert (late.value.retry_after, route.call_count, pauses) == (3.0, 4, [3.0] * 3)
    with pytest.raises(Throttled):
        await awaiting.exchanges()
    assert route.call_count == 8
    route.mock(side_effect=lambda _: told(503, "unavailable", **{"Retry-After": "3600"}))
    with pytest.raises(Unavailable) as hour:
        client.exchanges()
    assert (hour.value.retry_after, route.call_count) == (3600.0, 9)


def test_a_date_says_when_too(web: respx.MockRouter, client: PerpstoreClient[Any], pauses: list[float]) -> None:
    past = {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}
    web.get("/exchanges").mock(side_effect=[told(503, "unavailable", **past), rows()])
    client.exchanges()
    assert pauses == [0.0]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequest),
        (401, NoAccess),
        (403, NoAccess),
        (404, NotFound),
        (409, Ambiguous),
        (410, NotFound),
        (413, BadRequest),
        (500, Unavailable),
    ],
)
def test_one_type_for_what_there_is_to_do(
    web: respx.MockRouter, client: PerpstoreClient[Any], status: int, kind: type[PerpstoreError]
) -> None:
    web.get("/exchanges").mock(side_effect=lambda _: told(status, "some_code"))
    with pytest.raises(kind, match=r"because \(some_code\)") as raised:
        client.exchanges()
    found = raised.value
    assert (type(found), found.status, found.code, found.detail) == (kind, status, "some_code", "because")
    assert (found.candidates, found.request_id) == (("one", "two"), "id-1")


def test_what_is_no_problem_document_is_told_as_well(web: respx.MockRouter, client: PerpstoreClient[Any]) -> None:
    web.get("/exchanges").mock(side_effect=lambda _: httpx.Response(404, text="<html>"))
    with pytest.raises(NotFound, match="404 Not Found"):
        client.exchanges()


async def test_an_answer_that_breaks_off_is_no_answer(
    web: respx.MockRouter, client: PerpstoreClient[Any], awaiting: AsyncPerpstoreClient[Any]
) -> None:
    half = rows().content[:-60]
    web.get("/exchanges").mock(side_effect=lambda _: httpx.Response(200, content=half, headers={"Content-Type": ARROW}))
    with pytest.raises(Unavailable, match="broke off"):
        client.exchanges()
    with pytest.raises(Unavailable, match="broke off"):
        list(client.batches("/exchanges"))
    with pytest.raises(Unavailable, match="broke off"):
        [batch async for batch in awaiting.batches("/exchanges")]


def test_the_key_is_in_a_header_and_nowhere_else(web: respx.MockRouter, client: PerpstoreClient[Any]) -> None:
    route = web.get("/exchanges").mock(side_effect=lambda _: told(401, "key_unknown"))
    with pytest.raises(NoAccess) as refused:
        client.exchanges()
    request = route.calls.last.request
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    shown = (repr(client), str(client), repr(refused.value), str(refused.value), str(request.url), repr(request))
    assert not [text for text in shown if KEY in text]
    for bad in (f"{KEY}\nx", f"{KEY} é", ""):
        with pytest.raises(ValueError, match="api_key") as wrong:
            PerpstoreClient(URL, bad)
        assert KEY not in repr(wrong.value)
    # pragma: allowlist nextline secret
    assert repr(PerpstoreClient("https://me:word@store.test:1")) == "PerpstoreClient('https://store.test:1')"


def test_addresses_and_frames_that_are_none(web: respx.MockRouter) -> None:
    for bad in ("store.test", "ftp://store.test"):
        with pytest.raises(ValueError, match="url: "):
            PerpstoreClient(bad)
    with pytest.raises(ValueError, match="frame: pandas, polars, arrow expected"):
        PerpstoreClient(URL, frame="excel")  # type: ignore[call-overload]


def test_the_body_of_a_look_up(web: respx.MockRouter, client: PerpstoreClient[Any]) -> None:
    data = {"time": ["x"], "exchange": ["binance"], "asset": ["BTC"], "rate": [None], "age_s": [1]}
    answer = httpx.Response(200, json={"data": data, "meta": {"per": "1h"}})
    route = web.post("/lookup").mock(return_value=answer)
    at = datetime(2026, 3, 1, 0, 0, 0, 5, tzinfo=timezone.utc)  # noqa: UP017 - any UTC will do
    frame = client.lookup([(at, "binance", "BTC")], per="1h", known_at=at)
    assert json.loads(route.calls.last.request.content) == {
        "dataset": "funding",
        "per": "1h",
        "columns": {"time": ["2026-03-01T00:00:00.000005Z"], "exchange": ["binance"], "asset": ["BTC"]},
        "known_at": "2026-03-01T00:00:00.000005Z",
    }
    assert list(frame["time"]) == [pd.Timestamp(at)]
    assert frame["rate"].isna().all()
    assert frame.attrs == {"per": "1h"}
    for time, sent in {10: "1970-01-01T00:00:10Z", 1_772_323_200: 1_772_323_200_000}.items():
        client.lookup([(time, "binance", "BTC")])
        assert json.loads(route.calls.last.request.content)["columns"]["time"] == [sent]
    with pytest.raises(ValueError, match="not of 2 values"):
        client.lookup([(at, "binance")])


EVENTS = (
    b': heartbeat\r\n\r\nid: 7\nevent: funding\ndata: {"rate":\ndata: 1}\n\n',
    b'id: 8\nevent: dropped\ndata: {"reason": "slow"}\n\nid: 9\nevent: funding\ndata: {"ra',
    b'retry: 250\nid: 9\nevent: funding\ndata: {"rate": 2}\n\n',
)


def streams() -> list[httpx.Response]:
    """Three connections; the second ends in the middle of an event."""
    head = {"Content-Type": "text/event-stream"}
    return [httpx.Response(200, content=part, headers=head) for part in EVENTS]


def test_events_go_on_where_they_ended(
    web: respx.MockRouter, client: PerpstoreClient[Any], pauses: list[float]
) -> None:
    route = web.get("/stream").mock(side_effect=[*streams(), told(400, "bad_value")])
    heard = client.events(["funding:BTC", "spreads"], last_event_id="6")
    events = [next(heard) for _ in range(3)]
    assert [(e.id, e.name, e.data) for e in events] == [
        ("7", "funding", {"rate": 1}),
        ("8", "dropped", {"reason": "slow"}),
        ("9", "funding", {"rate": 2}),
    ]
    with pytest.raises(BadRequest):
        next(heard)
    asked = [call.request for call in route.calls]
    assert [request.headers["Last-Event-ID"] for request in asked] == ["6", "7", "8", "9"]
    assert asked[0].url.params["topics"] == "funding:BTC,spreads"
    assert asked[0].headers["Accept"] == "text/event-stream"
    assert pauses == [1.0, 1.0, 0.25]


async def test_events_awaited_are_the_same(
    web: respx.MockRouter, awaiting: AsyncPerpstoreClient[Any], pauses: list[float]
) -> None:
    web.get("/stream").mock(side_effect=[*streams(), httpx.ConnectError("refused"), *[httpx.ConnectError("x")] * 9])
    names: list[str] = []
    with pytest.raises(Unavailable) as gone:
        names.extend([event.name async for event in awaiting.events("funding")])
    assert gone.value.code == "no_answer"
    assert pauses == [1.0, 1.0, 0.25, 0.5, 1.0]


def test_errors_of_connections_are_told_without_the_request() -> None:
    with pytest.raises(Unavailable, match=r"ReadTimeout \(no_answer\)"), as_problems():
        raise httpx.ReadTimeout("")
