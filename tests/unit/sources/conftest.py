"""Recorded answers of upstreams: not ours to hand on, so not every copy of the repository has them beside it."""

import json
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from app.ingest.sources import load
from app.ingest.spec import Known, Window
from app.records import Instrument
from tests.conftest import shared

ALL_TIME = (datetime(2017, 1, 1, tzinfo=UTC), datetime(2026, 11, 1, 12, 30, tzinfo=UTC))


class Recorded:
    """The recorded answers of one upstream, and what its source makes of them."""

    def __init__(self, source: str, folder: Path) -> None:
        self.source = load([source])[source]
        self.folder = folder

    def body(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text())

    def lines(self, name: str) -> list[Any]:
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines() if line.strip()]

    def read(self, body: Any, dataset: str, scope: str, *, symbol: str | None = None, nth: int = 0, **more: Any) -> Any:
        """One item a row, by the feed or poll of this dataset and scope (the `nth`, where there are several)."""
        feed = [f for f in (*self.source.feeds, *self.source.polls) if (f.dataset, f.scope) == (dataset, scope)][nth]
        instrument = Instrument(symbol, symbol, "USDT") if symbol else None
        assert self.source.problem(200, body) is None
        answer = TypeAdapter(feed.answer).validate_python(body)
        return list(feed.rows(answer, Window(*ALL_TIME, instrument, **more)))

    def said(self, frame: Any, symbols: Collection[str]) -> tuple[str, list[Any]]:
        """What a frame of the first socket says and holds, where these symbols are known and wanted."""
        [socket, *_] = self.source.sockets
        contracts = {symbol: Instrument(symbol, symbol, "USDT") for symbol in symbols}
        return socket.said(frame).value, list(socket.rows(frame, Known(contracts, symbols)))


@pytest.fixture(scope="module")
def recorded(request: pytest.FixtureRequest) -> Recorded:
    """The recorded answers of the upstream that the test module is named after."""
    source = request.module.__name__.rpartition("test_recorded_")[2]
    return Recorded(source, shared(f"fixtures/{source}"))


@pytest.fixture(scope="session")
def ms() -> Any:
    """Epoch milliseconds of a time."""
    return lambda time: round(time.timestamp() * 1000)
