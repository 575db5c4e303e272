"""Nothing that can be written into a request breaks the API, or gets an answer it does not describe."""

from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.db import Database
from app.main import create_app
from app.settings import Settings
from tests.db import facts

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
REAL = {"asset": "BTC", "exchange": "binance", "symbol": "BTCUSDT", "id": "binance:funding"}
SCHEMA = schemathesis.openapi.from_dict(create_app(Settings(scheduler=False)).openapi())
ENDLESS = "/stream"
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations() if found.ok().path != ENDLESS]
BUDGET = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
async def filled(clean_database: Database) -> Database:
    """Something to be found under the real names."""
    series = await facts.series(clean_database, "binance", "BTCUSDT")
    await facts.settle(clean_database, series, dict.fromkeys((0, 8, 16), 1e-4))
    await facts.hold(clean_database, series, {0: 1e9, 8: 2e9})
    return clean_database


def prepared(case: Any) -> httpx.Request:
    """The request of a case, byte for byte as it would go over the wire."""
    kwargs = case.as_transport_kwargs(base_url="http://test")
    known = {name: value for name, value in kwargs.items() if name in requests.Request.__init__.__code__.co_varnames}
    ready = requests.Request(**known).prepare()
    return httpx.Request(ready.method or "", ready.url or "", headers=dict(ready.headers), content=ready.body)


def _cases() -> list[Any]:
    """A strategy for each operation, asked rightly and (where there is anything to ask) wrongly."""
    return [
        pytest.param(operation.as_strategy(generation_mode=mode), id=f"{operation.label} {mode.value}")
        for operation in OPERATIONS
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        if mode is GenerationMode.POSITIVE or operation.body or list(operation.iter_parameters())
    ]


@pytest.mark.parametrize("cases", _cases())
@BUDGET
@given(data=st.data(), real=st.booleans(), with_key=st.booleans())
async def test_fuzz(
    writer: httpx.AsyncClient, filled: Database, cases: Any, data: st.DataObject, real: bool, with_key: bool
) -> None:
    case = data.draw(cases)
    if real:
        case.path_parameters = {name: REAL.get(name, value) for name, value in (case.path_parameters or {}).items()}
    try:
        request = prepared(case)
    except httpx.InvalidURL:  # longer than the client sends
        reject()
    if with_key:
        request.headers["Authorization"] = writer.headers["Authorization"]
    answer = await writer.send(request)
    case.validate_response(answer, checks=CHECKS)
