"""The files of the page at `/`: ours alone, packed, kept by browsers only as long as they are the same."""

import re

import httpx
import pytest

from app.dashboard import STATIC
from app.main import create_app
from app.settings import Settings

APP = create_app(Settings(scheduler=False))
FILES = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())


@pytest.fixture
async def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(APP), base_url="http://test")


async def test_the_page_lets_nothing_in_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe-eval" not in policy


@pytest.mark.parametrize("name", FILES)
async def test_files_name_no_other_host(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/dashboard/{name}")
    assert answer.status_code == 200
    assert set(re.findall(r"https?://[\w.]+", answer.text)) <= {"http://www.w3.org"}


async def test_what_a_browser_has_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/dashboard/plotly.js")
    assert first.headers["content-encoding"] == "gzip"
    assert len(first.content) > 1_000_000
    again = await client.get("/dashboard/plotly.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["..%2F__init__.py", "../__init__.py", "%2Fetc%2Fpasswd", "views", "none.js"])
async def test_nothing_else_is_served(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"/dashboard/{name}")).status_code == 404
