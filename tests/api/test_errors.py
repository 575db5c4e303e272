"""Every error has one form, and what is logged has no secrets."""

import io
import json
import logging

import asyncpg
import httpx
import pytest
import sqlalchemy.exc
from fastapi import FastAPI
from starlette.exceptions import HTTPException

from app import logs
from app.api.errors import (
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    NotAcceptable,
    NotFound,
    Throttled,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnsupportedMedia,
)
from app.db import Database
from app.main import create_app
from app.settings import Settings

FIELDS = ["type", "title", "status", "detail", "instance", "code", "request_id", "errors", "candidates"]


def problem(answer: httpx.Response) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert list(body) == FIELDS
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["type"] == f"urn:perpstore:problem:{body['code']}"
    assert all(list(error) == ["parameter", "value", "reason"] for error in body["errors"])
    return body


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("OPTIONS", "/exchanges", 405, "method_not_allowed"),
        ("GET", "/nothing-here", 404, "no_such_path"),
        ("GET", "/funding/BTC/", 404, "no_such_path"),
        ("POST", "/nothing-here", 404, "no_such_path"),
        ("DELETE", "/exchanges", 405, "method_not_allowed"),
        ("GET", "/exchanges?limit=none", 400, "bad_value"),
        ("GET", "/exchanges?limt=1", 400, "unknown_parameter"),
        ("GET", "/entities/%00", 400, "bad_value"),
        ("GET", "/entities?q=%00", 400, "bad_value"),
        ("GET", "/entities/no-such-thing-anywhere", 404, "unknown_asset"),
        ("GET", "/entities/META", 409, "ambiguous_asset"),
        ("GET", "/instruments/binance/NOSUCH", 404, "unknown_instrument"),
        ("GET", "/admin/jobs", 401, "key_required"),
        ("GET", "/resolve", 400, "bad_value"),
        ("GET", "/docs/assets/passwd", 404, "no_such_path"),
    ],
)
async def test_errors_of_routes(client: httpx.AsyncClient, method: str, path: str, status: int, code: str) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, problem(answer)["code"]) == (status, code)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/funding/ETH?at=yesterday", [("at", "a time expected: RFC 3339, a date, or integer epoch seconds or ")]),
        ("/funding/ETH?limit=0", [("limit", "Input should be greater than or equal to 1")]),
        ("/spreads/ETH?min_spread=nan", [("min_spread", "a number expected")]),
        ("/funding/ETH/carry?notional=-inf", [("notional", "a number expected")]),
        ("/funding/ETH/prediction-error?at=2026-01-01", [("at", "unknown parameter; there are ")]),
        ("/quality/disagreements?dataset=foo,bar", [("dataset", "Input should be 'funding', ")] * 2),
        ("/funding/%00", [("asset", "a name without commas and control characters expected")]),
        ("/funding/ETH?max_age=long", [("max_age", "a length of time expected: 90s, 30m, 2h, 1d, or seconds")]),
    ],
)
async def test_each_mistake_is_told_once_in_words(
    client: httpx.AsyncClient, path: str, said: list[tuple[str, str]]
) -> None:
    errors: list[dict[str, str]] = problem(await client.get(path))["errors"]  # type: ignore[assignment]
    told = [(error["parameter"], error["reason"]) for error in errors]
    assert [(name, reason[: len(words)]) for (name, reason), (_, words) in zip(told, said, strict=True)] == said


async def test_405_allows_what_all_routes_of_the_path_do(client: httpx.AsyncClient) -> None:
    assert (await client.put("/admin/pulls")).headers["allow"] == "GET, HEAD, POST"


async def test_unknown_asset_has_the_nearest_names(client: httpx.AsyncClient) -> None:
    body = problem(await client.get("/entities/bitcion"))
    assert "bitcoin" in body["candidates"]  # type: ignore[operator]


async def test_ambiguous_asset_has_the_candidates(client: httpx.AsyncClient) -> None:
    body = problem(await client.get("/funding/META"))
    assert set(body["candidates"]) >= {"eq-meta"}  # type: ignore[call-overload]
    assert len(body["errors"]) == len(body["candidates"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body", [b"{", b"", b"[]", b'"x"', b"NaN", b'{"source": NaN}', b'{"source": "\\ud800"}', b"\xff\xfe", b"[" * 500]
)
async def test_bodies_that_are_not_what_they_should_be(writer: httpx.AsyncClient, body: bytes) -> None:
    answer = await writer.post("/admin/pulls", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert problem(answer)["errors"]


RAISED = [
    (BadRequest("no"), 400),
    (Unauthorized("no"), 401),
    (Forbidden("no"), 403),
    (NotFound("no"), 404),
    (NotAcceptable("no"), 406),
    (Conflict("no"), 409),
    (Gone("no"), 410),
    (TooLarge("no"), 413),
    (UnsupportedMedia("no"), 415),
    (Throttled("no", retry_after=3), 429),
    (Unavailable("no", retry_after=4), 503),
    (HTTPException(418), 418),
    (HTTPException(422, "no"), 422),
    (ConnectionRefusedError("secret host"), 503),
    (TimeoutError(), 503),
    (asyncpg.InterfaceError("pool is closed"), 503),
    (asyncpg.CannotConnectNowError("starting"), 503),
    (sqlalchemy.exc.OperationalError("select secret", None, OSError()), 503),
    (asyncpg.NumericValueOutOfRangeError("overflow"), 400),
    (ZeroDivisionError("secret"), 500),
    (asyncpg.InterfaceError("the server expects 1 argument"), 500),
    (asyncpg.UndefinedColumnError("secret"), 500),
]


def raising(error: Exception) -> FastAPI:
    app = create_app(Settings(scheduler=False))

    @app.get("/raise")
    async def fail() -> None:
        raise error

    app.router.routes.insert(0, app.router.routes.pop())  # else all of the others are made to find it
    return app


@pytest.mark.parametrize(("error", "status"), RAISED, ids=lambda part: type(part).__name__)
async def test_whatever_is_raised(error: Exception, status: int) -> None:
    transport = httpx.ASGITransport(raising(error), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/raise")
    assert answer.status_code == status
    assert problem(answer)["code"]
    assert "secret" not in answer.text
    assert ("retry-after" in answer.headers) == (status in (429, 503))
    assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_database_gone(server: str, database: Database) -> None:
    app = create_app(Settings(scheduler=False), database=database)
    async with app.router.lifespan_context(app):
        closed = await asyncpg.create_pool(database.dsn, min_size=0)
        await closed.close()
        app.state.database = Database(database.dsn, database.engine, closed)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for path in ("/exchanges", "/exchanges?format=csv", "/health/ready", "/metrics"):
                answer = await client.get(path)
                assert (answer.status_code, problem(answer)["code"]) == (503, "database_unavailable")
            assert (await client.get("/health/live")).status_code == 200


def test_codes_are_stable_and_distinct() -> None:
    kinds = [ApiError, *ApiError.__subclasses__()]
    assert len({kind.code for kind in kinds}) == len(kinds)


def logged(message: str, *arguments: object, tty: bool = False) -> str:
    out = io.StringIO()
    out.isatty = lambda: tty  # type: ignore[method-assign]
    handler = logging.StreamHandler(out)
    handler.setFormatter(logs.Lines(as_json=not tty))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    try:
        raise RuntimeError(message % arguments if arguments else message)
    except RuntimeError:
        logger.exception(message, *arguments)
    return out.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://postgres:hunter2secret@db/perpstore",  # pragma: allowlist secret
        "GET /x?api_key=hunter2secret&y=1",
        "Authorization: Bearer hunter2secret",
        "{'password': 'hunter2secret'}",  # pragma: allowlist secret
        '{"token": "hunter2secret"}',
        "VELO_API_KEY=hunter2secret",
        "key pst_hunter2secret was used",
        "x-signature: hunter2secret",
        "https://user:hunter2secret@proxy.example",  # pragma: allowlist secret
    ],
)
def test_secrets_are_blacked_out(text: str) -> None:
    for tty in (False, True):
        line = logged("seen: %s", text, tty=tty)
        assert "hunter2secret" not in line
        assert logs.HIDDEN in line


def test_known_secrets_are_blacked_out_wherever_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_secrets", set[str]())
    logs.keep_secret("plainlookingword", "ab")
    assert logs.redact("a plainlookingword and ab") == f"a {logs.HIDDEN} and ab"


def test_harmless_text_is_left() -> None:
    text = "binance:funding took 3 s; tokens of keys; primary key (series_id, ts); http://host:80/path?asset=BTC"
    assert logs.redact(text) == text


def test_one_line_a_record() -> None:
    line = logged("two\nlines")
    assert line.count("\n") == 1
    document = json.loads(line)
    assert (document["level"], document["logger"], document["message"]) == ("ERROR", "test", "two\nlines")
    assert "RuntimeError" in document["trace"]
    assert document["time"].endswith("Z")


def test_access_lines_have_fields() -> None:
    arguments = ("127.0.0.1:1", "GET", "/funding?api_key=abcdefgh", "1.1", 200)
    record = logging.LogRecord("uvicorn.access", logging.INFO, "", 0, '%s - "%s %s HTTP/%s" %d', arguments, None)
    document = json.loads(logs.Lines(as_json=True).format(record))
    assert (document["method"], document["status"]) == ("GET", 200)
    assert "abcdefgh" not in json.dumps(document)


async def test_lines_bear_the_request_id(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    token = logs.request_id.set("r-1")
    try:
        record = logging.LogRecord("x", logging.INFO, "", 0, "hello", (), None)
        assert json.loads(logs.Lines(as_json=True).format(record))["request_id"] == "r-1"
    finally:
        logs.request_id.reset(token)
