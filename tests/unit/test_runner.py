"""Asking an upstream: answers, errors sorted by what to do next, retries, paging."""

import asyncio
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from app import logs, settings
from app.ingest import runner
from app.ingest.errors import Malformed, Refused, Throttled, Unavailable, UpstreamError
from app.ingest.limits import BAN, Limiter
from app.ingest.pages import Fetched, Line, fetch
from app.ingest.runner import Patience, Web, opened, seconds_until
from app.ingest.sources import load
from app.ingest.spec import Budget, Feed, Json, Ms, Num, Problem, Source, Trouble, Window, Wire, each, get, post
from app.records import BadRecord, Candle, FundingRate, Instrument
from tests.replay import CUT, HTML, RESET, Replay, broken, slow, throttled

NOW = datetime(2026, 3, 10, 12, 0, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
BTC = Instrument("BTC", "BTC", "USD")
Handler = Callable[[httpx.Request], httpx.Response]


class Row(Wire):
    time: Ms
    rate: Num


def settlement(row: Row, window: Window) -> FundingRate | None:
    return None if row.rate == 0 else FundingRate(window.symbol, row.time, row.rate)


def history(window: Window) -> Any:
    # pragma: allowlist nextline secret
    return get("/history", costs={"calls": 1}, start=window.start_ms, end=window.last_ms, apiKey="verysecret")


FUNDING = Feed(
    *("funding", "instrument", history, list[Json], each(Row, settlement), HOUR, ""), step=HOUR, limit=10, history=True
)
DAY = Window(NOW.replace(hour=0, second=0) - timedelta(days=1), NOW.replace(hour=0, second=0), BTC)


def problem(status: int, body: Json) -> Problem | None:
    known = {"null": Trouble.REFUSED, "busy": Trouble.UNAVAILABLE, "often": Trouble.THROTTLED}
    trouble = known.get(body["code"]) if isinstance(body, dict) and "code" in body else None
    return Problem(trouble, body["code"], body.get("msg", "")) if trouble else None


SOURCE = Source(
    "here", "Here", "http://upstream.test", {"calls": Budget(1000, HOUR)}, (FUNDING,), "", "", problem=problem
)


class Nap:
    """Sleeps no time, and says how long it should have."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def asking(handler: Handler, source: Source = SOURCE, **facts: Any) -> Line:
    client = httpx.AsyncClient(transport=httpx.MockTransport(handler), mounts={})
    facts = {"sleep": Nap(), "now": lambda: NOW, "patience": Patience(tries=3, first=0.5), **facts}
    line = Line(Web(client, limiters={}, **facts), source)
    line.web.limiters[source.id] = Limiter(source.id, source.budgets, sleep=Nap(), clock=_Passing())
    return line


class _Passing:
    """A clock that is minutes further on whenever it is looked at: no pause is ever waited for."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 50
        return self.now


def rows(*times: datetime, rate: float = 0.0001) -> list[Json]:
    return [{"time": round(time.timestamp() * 1000), "rate": str(rate)} for time in times]


def always(content: Any, status: int = 200, **headers: str) -> Handler:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return lambda _: httpx.Response(status, content=body, headers=headers)


def hours(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += HOUR


async def failure(line: Line, feed: Feed = FUNDING, window: Window = DAY) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await fetch(line, feed, window)
    return caught.value


async def test_rows_become_records() -> None:
    found = await fetch(asking(always(rows(DAY.start, DAY.start + HOUR))), FUNDING, DAY)
    assert found.records == [FundingRate("BTC", DAY.start, 0.0001), FundingRate("BTC", DAY.start + HOUR, 0.0001)]
    assert found.bad == []


@pytest.mark.parametrize(
    ("status", "body", "error", "everywhere"),
    [
        (429, b"", Throttled, None),
        (418, b"banned", Throttled, None),
        (500, b"oops", Unavailable, None),
        (503, b"<html>", Unavailable, None),
        (408, b"", Unavailable, None),
        (401, b"{}", Refused, True),
        (403, b"<html>no</html>", Refused, True),
        (451, b"", Refused, True),
        (404, b"", Refused, False),
        (400, b'{"code":"strange"}', Refused, False),
        (301, b"", Refused, False),
        (400, b'{"code":"busy","msg":"later"}', Unavailable, None),
        (200, b'{"code":"often"}', Throttled, None),
        (200, b'{"code":"null","msg":"unknown coin"}', Refused, False),
        (200, b"<html>", Malformed, None),
        (200, b"", Malformed, None),
        (200, b'{"rows":[]}', Malformed, None),
        (200, b"null", Malformed, None),
        (200, b'[{"time":"yesterday"},{"a":1}]', Malformed, None),
        (200, b"[" * 10_000, Malformed, None),
        (200, b'["\xff"]', Malformed, None),
    ],
)
async def test_errors_are_sorted_by_what_to_do_next(
    status: int, body: bytes, error: type[UpstreamError], everywhere: bool | None
) -> None:
    caught = await failure(asking(always(body, status)))
    assert type(caught) is error
    assert caught.question.source, caught.question.symbol == ("here", "BTC")
    if isinstance(caught, Refused):
        assert caught.everywhere is everywhere
    if isinstance(caught, Malformed):
        assert (caught.status, caught.body) == (status, body)


def test_a_key_of_two_parts_is_in_no_line_of_the_log_nor_is_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERIBIT_API_KEY", "some-reader:word-of-it")
    settings.environment.cache_clear()
    try:
        assert runner.key_of(load(["deribit"])["deribit"]) == "some-reader:word-of-it"
    finally:
        settings.environment.cache_clear()
    assert logs.redact("said word-of-it by some-reader") == f"said {logs.HIDDEN} by {logs.HIDDEN}"


async def test_errors_tell_no_secret() -> None:
    caught = await failure(asking(always(b"no", 400)))
    assert "verysecret" not in f"{caught} {caught.question}"
    assert caught.question.request.startswith("GET /history?start=")
    assert "upstream.test" not in f"{caught} {caught.question}"


@pytest.mark.parametrize(("status", "sent"), [(500, 3), (429, 3), (400, 1), (200, 1)])
async def test_only_what_may_help_is_tried_again(status: int, sent: int) -> None:
    line = asking(always(b"rubbish", status))
    await failure(line)
    assert line.requests == sent


async def test_an_answer_after_some_trouble() -> None:
    answers = iter([httpx.Response(502), httpx.Response(429), httpx.Response(200, json=rows(DAY.start))])
    line = asking(lambda _: next(answers))
    assert len((await fetch(line, FUNDING, DAY)).records) == 1
    assert line.requests == 3


async def test_back_off_has_full_jitter_within_a_doubling_bound() -> None:
    nap = Nap()
    line = asking(always(b"", 500), sleep=nap, patience=Patience(tries=6, first=1, most=4))
    await failure(line)
    assert len(nap.seconds) == 5
    assert all(0 <= s <= bound for s, bound in zip(nap.seconds, (1, 2, 4, 4, 4), strict=True))


async def test_retry_after_is_honoured_by_the_unavailable_too() -> None:
    nap = Nap()
    await failure(asking(always(b"", 503, **{"Retry-After": "7"}), sleep=nap))
    assert nap.seconds == [7, 7]


async def test_a_long_retry_after_is_not_waited_for() -> None:
    nap = Nap()
    line = asking(always(b"", 503, **{"Retry-After": "3600"}), sleep=nap)
    await failure(line)
    assert (line.requests, nap.seconds) == (1, [])


async def test_throttling_pauses_the_whole_source() -> None:
    line = asking(always(b"", 429, **{"Retry-After": "900"}))
    line.web.limiters["here"] = Limiter("here", SOURCE.budgets)
    caught = await failure(line)
    assert isinstance(caught, Throttled)
    assert (line.requests, caught.retry_after) == (1, 900)
    assert 890 < line.web.limiters["here"].paused <= 900
    assert isinstance(await failure(line), Throttled)
    assert line.requests == 1


class Account:
    """A ledger of one process that spends nothing and counts what it is told of answers and pauses."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.pauses: list[str] = []

    async def spend(self, budget: str, cost: float, allowed: float, period: timedelta, aligned: bool) -> float:
        return 0.0

    async def throttled(self, source: str) -> None:
        self.answers.append(source)

    async def pause(self, budget: str, seconds: float, period: timedelta) -> None:
        self.pauses.append(budget)


async def test_each_answer_that_throttles_is_counted() -> None:
    """Also where it may be asked again at once; not what is refused here, without asking."""
    account = Account()
    line = asking(always(b"", 429, **{"Retry-After": "0"}), ledger=account)
    assert isinstance(await failure(line), Throttled)
    assert (line.requests, account.answers, account.pauses) == (3, ["here"] * 3, [])
    line = asking(always(b"", 429, **{"Retry-After": "900"}), ledger=account)
    for _ in range(2):
        assert isinstance(await failure(line), Throttled)
    assert (line.requests, account.answers, account.pauses) == (1, ["here"] * 4, ["here:calls"])


async def test_a_ban_pauses_for_long() -> None:
    line = asking(always(b"", 418))
    line.web.limiters["here"] = Limiter("here", SOURCE.budgets)
    await failure(line)
    assert line.web.limiters["here"].paused > BAN - 5


async def test_bybit_says_in_words_that_it_stops_listening() -> None:
    bybit = load(["bybit"])["bybit"]
    line = asking(always(b"<html>access too frequent</html>", 403), bybit)
    line.web.limiters["bybit"] = Limiter("bybit", bybit.budgets)
    feed = bybit.feed("predicted_funding")
    assert feed
    assert isinstance(await failure(line, feed, Window(NOW, NOW)), Throttled)
    assert line.web.limiters["bybit"].paused > BAN - 5


async def test_hyperliquid_answers_null_about_a_coin_there_is_not() -> None:
    hyperliquid = load(["hyperliquid"])["hyperliquid"]
    feed = hyperliquid.feed("funding")
    assert feed
    caught = await failure(asking(always(None), hyperliquid), feed)
    assert isinstance(caught, Refused)
    assert not caught.everywhere


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("12", 12),
        ("0.5", 0.5),
        ("-3", 0),
        ("1e99", 3 * 86_400),
        ("inf", 3 * 86_400),
        ("nan", None),
        ("soon", None),
        (format_datetime(NOW + timedelta(seconds=40), usegmt=True), 40),
        (format_datetime(NOW - timedelta(seconds=40), usegmt=True), 0),
        ("Tue, 10 Mar 2026 12:01:00 -0000", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert seconds_until(header, NOW) == seconds


async def test_a_bad_row_does_not_cost_the_others() -> None:
    def made(row: Row, window: Window) -> FundingRate:
        if row.rate > 1:
            raise BadRecord("rate_out_of_range", "too much")
        return FundingRate("BTC", row.time, row.rate)

    answer = [*rows(DAY.start), *rows(DAY.start + HOUR, rate=7), {"time": 1}]
    found = await fetch(asking(always(answer)), replace(FUNDING, rows=each(Row, made)), DAY)
    assert len(found.records) == 1
    assert [bad.code for bad in found.bad] == ["rate_out_of_range", "unreadable"]


async def test_rows_of_another_time_are_refused() -> None:
    found = await fetch(asking(always(rows(DAY.start - HOUR, DAY.start, DAY.end))), FUNDING, DAY)
    assert [record.time for record in found.records if isinstance(record, FundingRate)] == [DAY.start]
    assert [bad.code for bad in found.bad] == ["outside_window", "outside_window"]


async def test_a_candle_that_still_grows_is_left() -> None:
    def candle(row: Row, window: Window) -> Candle:
        return Candle("BTC", row.time, HOUR, 1, 1, 1, 1)

    feed = replace(FUNDING, dataset="candles_1h", rows=each(Row, candle))
    noon = NOW.replace(second=0)
    found = await fetch(asking(always(rows(noon - HOUR, noon))), feed, replace(DAY, end=NOW))
    assert [record.time for record in found.records if isinstance(record, Candle)] == [noon - HOUR]
    assert found.bad == []


class Venue:
    """Answers the newest `limit` of hourly rows in the window asked for."""

    def __init__(self, limit: int = 10, apart: timedelta = HOUR) -> None:
        self.limit, self.apart = limit, apart

    def __call__(self, request: httpx.Request) -> httpx.Response:
        start, end = (int(request.url.params[name]) for name in ("start", "end"))
        apart = round(self.apart.total_seconds() * 1000)
        times = list(range(-(-start // apart) * apart, end + 1, apart))[-self.limit :]
        return httpx.Response(200, json=[{"time": time, "rate": "0.0001"} for time in reversed(times)])


@pytest.mark.parametrize("days", [1, 7, 30])
async def test_a_full_page_is_asked_again_as_two_halves(days: int) -> None:
    window = replace(DAY, start=DAY.end - timedelta(days=days))
    found = await fetch(asking(Venue()), FUNDING, window)
    times = [record.time for record in found.records if isinstance(record, FundingRate)]
    assert sorted(times) == list(hours(window.start, window.end))


async def test_more_rows_than_a_page_in_one_step_cannot_be_read() -> None:
    caught = await failure(asking(Venue(apart=timedelta(minutes=1))))
    assert isinstance(caught, Malformed)
    assert "more rows than a page" in str(caught)


async def test_rows_that_are_not_ours_count_for_a_full_page() -> None:
    line = asking(lambda request: httpx.Response(200, json=rows(*hours(DAY.start, DAY.start + 10 * HOUR), rate=0)))
    assert isinstance(await failure(line), Malformed)
    assert line.requests > 3


def tokens(*pages: tuple[list[Json], str | None]) -> tuple[Feed, Handler]:
    class Page(Wire):
        rows: list[Json]
        next: str | None

    def asked(window: Window) -> Any:
        return get("/list", costs={}, cursor=window.cursor)

    def answer(request: httpx.Request) -> httpx.Response:
        found, following = pages[int(request.url.params.get("cursor", "0"))]
        return httpx.Response(200, json={"rows": found, "next": following})

    found = each(Row, settlement, lambda page: page.rows)
    feed = replace(FUNDING, request=asked, answer=Page, rows=found, limit=None, next_cursor=lambda page: page.next)
    return feed, answer


async def test_pages_by_token() -> None:
    feed, answer = tokens((rows(DAY.start), "1"), (rows(DAY.start + HOUR), "2"), ([], None))
    line = asking(answer)
    assert len((await fetch(line, feed, DAY)).records) == 2
    assert line.requests == 3


async def test_a_token_that_comes_again_ends_the_paging() -> None:
    feed, answer = tokens((rows(DAY.start), "1"), (rows(DAY.start + HOUR), "1"))
    assert "without end" in str(await failure(asking(answer), feed))


async def test_what_is_told_of_now_is_stamped_when_it_is_asked() -> None:
    def sample(row: Row, window: Window) -> FundingRate:
        return FundingRate("BTC", window.end, row.rate)

    clock = iter([NOW, NOW + timedelta(seconds=9), NOW + timedelta(seconds=9)])
    answers = iter([httpx.Response(500), httpx.Response(200, json=rows(DAY.start))])
    feed = replace(FUNDING, scope="market", history=False, limit=None, rows=each(Row, sample))
    line = asking(lambda _: next(answers), now=lambda: next(clock))
    (record,) = (await fetch(line, feed, Window(DAY.start, DAY.start))).records
    assert isinstance(record, FundingRate)
    assert record.time == NOW + timedelta(seconds=9)


async def test_a_body_is_sent_as_json_and_a_packed_answer_unpacked() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        packed = gzip.compress(json.dumps(rows(DAY.start)).encode())
        return httpx.Response(200, content=packed, headers={"Content-Encoding": "gzip"})

    feed = replace(FUNDING, request=lambda window: post("/info", {"coin": "币"}, costs={}))
    assert len((await fetch(asking(answer), feed, DAY)).records) == 1
    assert (seen[0].method, seen[0].url.path, json.loads(seen[0].content)) == ("POST", "/info", {"coin": "币"})
    assert seen[0].headers["Content-Type"] == "application/json"


async def test_an_answer_too_large_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "MAX_BYTES", 1000)
    caught = await failure(asking(always(b"[" + b" " * 5000 + b"]")))
    assert isinstance(caught, Malformed)


async def test_the_setting_replaces_where_a_source_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json=[])

    monkeypatch.setenv("HERE_BASE_URL", "http://stand.in:81/")
    settings.environment.cache_clear()
    await fetch(asking(answer), FUNDING, DAY)
    monkeypatch.undo()
    settings.environment.cache_clear()
    assert seen[0].startswith("http://stand.in:81/history?start=")


@pytest.fixture(scope="module")
def replay() -> Iterator[Replay]:
    with Replay(now=lambda: NOW) as replay:
        yield replay


async def real(replay: Replay, tries: int = 2) -> tuple[Fetched, int]:
    """A day of settlements over a real socket, and how many requests it took."""
    hyperliquid = replace(load(["hyperliquid"])["hyperliquid"], base_url=replay.url)
    feed = hyperliquid.feed("funding")
    assert feed
    async with opened(Patience(tries=tries, first=0.01), now=lambda: NOW) as web:
        line = Line(replace(web, limiters={}), hyperliquid)
        return await fetch(line, feed, DAY), line.requests


@pytest.mark.parametrize("fault", [CUT, RESET, broken(502), broken(500), throttled(0)])
async def test_real_trouble_is_overcome(replay: Replay, fault: Any) -> None:
    replay.misbehave(fault)
    found, requests = await real(replay)
    assert (len(found.records), requests) == (24, 2)


@pytest.mark.parametrize(
    ("fault", "error"), [(CUT, Unavailable), (RESET, Unavailable), (throttled(0), Throttled), (HTML, Malformed)]
)
async def test_real_trouble_that_lasts(replay: Replay, fault: Any, error: type[UpstreamError]) -> None:
    replay.misbehave(fault, times=1 if fault is HTML else 2)
    with pytest.raises(error):
        await real(replay)


async def test_nobody_there() -> None:
    gone = Replay()
    with gone:
        pass
    with pytest.raises(Unavailable):
        await real(gone)


async def test_an_answer_that_takes_too_long(replay: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "WHOLE_SECONDS", 0.1)
    replay.misbehave(slow(0.5))
    started = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable):
        await real(replay, tries=1)
    assert asyncio.get_running_loop().time() - started < 0.45
