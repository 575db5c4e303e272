"""One screen of status: what it says, and that colours say nothing more."""

import re
from typing import Any

import pytest

from app.cli import glance

SGR = re.compile(r"\x1b\[[0-9;]*m")


def source(name: str, state: str = "ok", **more: Any) -> dict[str, Any]:
    return {
        "source": name,
        "state": state,
        "reason": None,
        "next_step": None,
        "late": 0,
        "datasets": 6,
        "age_s": 90.0,
    } | more


FAILING = source("bybit", "failing", reason="funding: " + "HTTP 503 " * 20, next_step="it is asked again at 12:05")
SOURCES = [
    source("binance"),
    FAILING,
    source("okx", late=2),
    source("deribit", "unreachable", reason="no answer", next_step="check the network", age_s=90_000.0),
    source("velo", "disabled", reason="VELO_API_KEY is not set", next_step="set VELO_API_KEY in .env", late=None),
    source("kraken", "waiting", reason="not asked yet", age_s=None),
]
DISK = {"disk": {"free": 1e10, "total": 1e11}, "bytes_per_day": 1e9, "settles_at_bytes": None}
FOUND: dict[str, Any] = {
    "database": {"version": "18.1 (Debian)", "how": "started", "folder": "/data", "dsn": "", "bytes": 2.5e9},
    "tables": [{"table": f"t{n}", "bytes": 1e9 / (n + 1)} for n in range(30)],
    "forecast": {
        "disk": {"free": 1e10, "total": 1e11},
        "bytes_per_day": 1e9,
        "settles_at_bytes": None,
        "full_in_days": 10.0,
    },
    "scheduler": {"enabled": True, "running": True, "jobs": [{"paused": False}, {"paused": True}]},
    "collectors": [
        {"id": "okx:ws:0", "state": "waiting", "lag_s": 720.0},
        {"id": "okx:ws:1", "state": "connected", "lag_s": 0.0},
    ],
    "gaps": [
        {"dataset": "candles_1m", "state": "open", "gaps": 3},
        {"dataset": "candles_1m", "state": "repaired", "gaps": 99},
        {"dataset": "liquidations", "state": "unfillable", "gaps": 7},
    ],
    "counts": {"rejects": 0},
    "generated": [],
    "sources": SOURCES,
}


def said(**changes: Any) -> list[str]:
    return "\n".join(glance.lines(FOUND | changes)).splitlines()


def row(text: list[str], name: str) -> list[str]:
    return re.split(r" {2,}", next(line for line in text if line.startswith(f"{name} ")))


def test_a_line_a_source() -> None:
    text = said()
    assert row(text, "binance") == ["binance", "ok", "1.5m", "0 of 6"]
    assert row(text, "okx") == ["okx", "late", "1.5m", "2 of 6"]
    assert row(text, "deribit") == ["deribit", "unreachable", "1d", "-", "no answer"]
    assert row(text, "velo") == ["velo", "needs key", "1.5m", "-"]
    assert row(text, "kraken") == ["kraken", "waiting", "-", "-"]
    assert row(text, "bybit")[:4] == ["bybit", "failing", "1.5m", "0 of 6"]


def test_gaps_are_counted_where_they_are_not_repaired() -> None:
    text = said()
    assert row(text, "candles_1m") == ["candles_1m", "3", "0", "0"]
    assert row(text, "liquidations") == ["liquidations", "0", "0", "7"]
    assert "gaps        none known" in said(gaps=[])


def test_what_is_wrong_comes_with_its_next_step_the_worst_first() -> None:
    wrong = [line for line in said() if line.startswith("! ")]
    assert wrong == [
        "! the disk is full in 10 days. Set PERPSTORE_RETENTION_DAYS, or give it more room",
        "! bybit failing: it is asked again at 12:05",
        "! deribit unreachable: check the network",
        "! okx is late with 2 of 6 datasets. `perpstore pull okx` asks now",
        "! velo needs a key: set VELO_API_KEY in .env",
        "! collector okx:ws:0 waits, 12m behind. It connects again by itself; the log of `serve` says why",
    ]


@pytest.mark.parametrize(
    ("enabled", "step"), [(True, "Run `perpstore serve`"), (False, "Set PERPSTORE_SCHEDULER=on and")]
)
def test_nobody_pulls(enabled: bool, step: str) -> None:
    text = said(scheduler={"enabled": enabled, "running": False, "jobs": []})
    assert any(line.startswith("! nothing is pulled") and step in line for line in text)


def test_all_is_well() -> None:
    well = {"sources": [source("binance")], "collectors": [], "forecast": DISK | {"full_in_days": None}}
    assert "Nothing is wrong." in said(**well)


def test_it_fits_a_screen() -> None:
    """With twice as many sources that fail as there are, and gaps of everything."""
    many = [FAILING | {"source": f"source-{n}"} for n in range(16)]
    text = said(sources=many)
    assert len(text) <= 42
    assert max(map(len, text)) <= 120
    assert any(re.fullmatch(r"! and \d+ more: `perpstore status --json`", line) for line in text)


@pytest.mark.parametrize(("name", "colours"), [("TERM", True), ("NO_COLOR", False)])
def test_colours_are_for_those_who_want_them_and_say_nothing_more(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, colours: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv(name, "xterm-256color")
    glance.show(FOUND)
    piped = capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    glance.show(FOUND)
    shown = capsys.readouterr().out
    assert not SGR.search(piped)
    assert bool(SGR.search(shown)) == colours
    assert SGR.sub("", shown) == piped
