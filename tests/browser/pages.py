"""A page of the dashboard that is watched: what it asks, whom, and what goes wrong in it."""

import asyncio
import json
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

PATIENCE = 15_000
VIEWS = ("now", "asset", "spreads", "options", "minute", "data", "admin")
READY = """() => !document.querySelector('[aria-busy="true"]') && document.querySelector('#view .view')
  && document.querySelector('#said').textContent !== ''"""
AXE = "axe.run(document, {resultTypes: ['violations']})"
SERIOUS = ("serious", "critical")
Query = dict[str, str]


@dataclass
class Shown:
    """An open page. `asked`: path and query of what it asked the API; `wrong`: what it complained of."""

    page: "Page"
    home: str
    asked: list[tuple[str, Query]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    pending: set[Any] = field(default_factory=set)

    def watch(self) -> None:
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("requestfailed", self._failed)
        self.page.on("request", self._asked)
        self.page.on("requestfinished", lambda request: self.pending.discard(request))

    def _failed(self, request: Any) -> None:
        """What the page itself takes back, because something newer is asked, is no fault."""
        self.pending.discard(request)
        if "ERR_ABORTED" not in (request.failure or ""):
            self.wrong.append(f"{request.url}: {request.failure}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.home, "data:", "blob:")):
            self.wrong.append(f"another host: {request.url}")
        if request.resource_type == "fetch":
            parts = urlsplit(request.url)
            self.asked.append((parts.path, dict(parse_qsl(parts.query))))
        if not request.url.startswith(f"{self.home}/stream"):
            self.pending.add(request)

    async def go(self, hash_: str) -> None:
        """Open a view and wait until its numbers are there."""
        await self.page.goto(f"{self.home}/{hash_}")
        await self.settled()

    async def enter(self, key: str) -> None:
        """Have a key in this tab, as if it had been typed."""
        await self.page.add_init_script(f"sessionStorage.setItem('perpstore-key', {json.dumps(key)})")

    async def settled(self) -> None:
        """Wait until all that was asked is answered and shown; the stream goes on."""
        async with asyncio.timeout(PATIENCE / 1000):
            await self.page.wait_for_function(READY)
            while self.pending or not await self.page.evaluate(READY):  # noqa: ASYNC110 - of a page, which tells nobody
                await asyncio.sleep(0.02)

    async def change(self, do: Awaitable[Any], wait: float = 60) -> list[tuple[str, Query]]:
        """Do something and wait until the page has asked and has shown; what it asked. `wait`: what a control waits."""
        before = len(self.asked)
        await do
        await self.page.wait_for_timeout(wait)
        await self.settled()
        return self.asked[before:]

    async def words(self) -> Query:
        """The words behind `#` of the address."""
        return dict(parse_qsl((await self.page.evaluate("location.hash")).partition("?")[2]))

    async def rows(self, table: str) -> dict[str, list[str]]:
        """The cells of a table by the key of their row."""
        return await self.page.evaluate(
            """table => Object.fromEntries([...document.querySelectorAll(`${table} tbody tr`)]
               .filter((row) => !row.hidden).map((row) =>
                 [row.dataset.key ?? row.dataset.asset, [...row.cells].map((cell) => cell.innerText.trim())]))""",
            table,
        )

    async def drawn(self, chart: str) -> dict[str, list[list[Any]]]:
        """The points of a chart by the name of their series: place and value."""
        await self.page.wait_for_function(
            "chart => document.querySelector(`${chart} .plot`)?.data", arg=chart, timeout=PATIENCE
        )
        traces = await self.page.evaluate(
            """chart => document.querySelector(`${chart} .plot`).data
               .map(({ name, x, y, close }) => ({ name, x, y: y ?? close }))""",
            chart,
        )
        return {trace["name"]: [list(pair) for pair in zip(trace["x"], trace["y"], strict=True)] for trace in traces}

    async def faults(self) -> list[str]:
        """Violations that axe-core calls serious or critical, with the places they are at."""
        if not await self.page.evaluate("() => 'axe' in window"):
            await self.page.evaluate(axe())
        found = await self.page.evaluate(AXE)
        return [
            f"{one['id']}: {node['html'][:160]} {json.dumps(node.get('failureSummary', ''))[:200]}"
            for one in found["violations"]
            if one["impact"] in SERIOUS
            for node in one["nodes"]
        ]


def axe() -> str:
    package = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


async def opened(browser: "Browser", home: str, **options: Any) -> Shown:
    """A page in a context of its own: nothing is kept from others."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, **options)
    shown = Shown(await context.new_page(), home)
    shown.watch()
    return shown


async def told(client: httpx.AsyncClient, path: str, **query: Any) -> list[dict[str, Any]]:
    """What the API answers to the same question."""
    answer = await client.get(path, params={"time_format": "ms", **query})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]
