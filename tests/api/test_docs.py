"""The API describes itself, completely and with nothing from elsewhere."""

import re
from typing import Any

import httpx
import pytest

from app.main import create_app
from app.settings import Settings

APP = create_app(Settings(scheduler=False))
DOCUMENT = APP.openapi()
OPERATIONS = [
    pytest.param(path, method, operation, id=f"{method.upper()} {path}")
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_operation_is_described(path: str, method: str, operation: dict[str, Any]) -> None:
    assert operation["description"]
    assert operation["tags"]
    assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}
    assert "422" not in operation["responses"]
    for parameter in operation.get("parameters", ()):
        assert parameter["description"], parameter["name"]
    for status, answer in operation["responses"].items():
        if status == "default" or status[0] in "45":
            assert list(answer["content"]) == ["application/problem+json"], status


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_reading_route_has_all_forms(path: str, method: str, operation: dict[str, Any]) -> None:
    if method != "get" or path.startswith(("/health", "/metrics", "/stream")):
        return
    assert set(operation["responses"]["200"]["content"]) == {
        "application/json",
        "text/csv",
        "application/x-ndjson",
        "application/vnd.apache.parquet",
        "application/vnd.apache.arrow.stream",
    }
    assert {"format", "time_format", "limit", "order", "cursor"} <= {p["name"] for p in operation["parameters"]}


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for operations in DOCUMENT["paths"].values() for operation in operations.values()]
    assert len(ids) == len(set(ids))


def bodies() -> set[str]:
    """Schemas of what is sent: there fields may be left out."""
    sent = [operation.values[2].get("requestBody", {}).get("content", {}) for operation in OPERATIONS]
    references = [content.get("application/json", {}).get("schema", {}).get("$ref", "") for content in sent]
    return {reference.rpartition("/")[2] for reference in references}


def test_every_field_is_described_and_required() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        if schema.get("type") != "object" or name in bodies():
            continue
        assert set(schema["required"]) == set(schema["properties"]), name
        assert "default" not in str(schema["properties"].values()), name
        for field, described in schema["properties"].items():
            assert described.get("description") or "$ref" in described, (name, field)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_pages_name_no_other_host(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)
    assert page.headers["content-type"].startswith("text/html")
    assert not re.search(r"""(src|href|url)\s*[=:(]\s*["']?(https?:)?//""", page.text)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    needed = re.findall(r"""(?:src|href)=["']([^"']+)["']|url: '([^']+)'""", page.text)
    assert len(needed) >= 2
    for link in (first or second for first, second in needed):
        assert (await client.get(link)).status_code == 200, link


async def test_files_of_the_pages(client: httpx.AsyncClient) -> None:
    first = await client.get("/docs/assets/swagger-ui.css")
    assert first.headers["content-type"].startswith("text/css")
    again = await client.get("/docs/assets/swagger-ui.css", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert not re.search(rb"url\([\"']?(https?:)?//", first.content)
    for wrong in ("..%2F__init__.py", "%2Fetc%2Fpasswd", "core.py"):
        assert (await client.get(f"/docs/assets/{wrong}")).status_code == 404


@pytest.mark.parametrize("name", ["redoc.standalone.js", "swagger-ui-bundle.js"])
async def test_scripts_fetch_no_pictures_from_elsewhere(client: httpx.AsyncClient, name: str) -> None:
    script = (await client.get(f"/docs/assets/{name}")).content
    assert not re.search(rb"""https?://[^"']+\.(svg|png|jpg|woff2?|css|js)["']""", script)


async def test_description_under_a_prefix() -> None:
    transport = httpx.ASGITransport(APP, root_path="/data")
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        page = await client.get("/data/docs")
    assert "/data/openapi.json" in page.text
    assert "/data/docs/assets/swagger-ui.css" in page.text
