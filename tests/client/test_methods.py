"""There is a method for every path of the API that is read, and it takes every parameter of it."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

from app.main import create_app
from app.settings import Settings
from perpstore_client import AsyncPerpstoreClient, PerpstoreClient
from perpstore_client.question import Question
from perpstore_client.questions import Questions

OTHERWISE = {
    "/stream": "events, by `events`",
    "/metrics": "text for Prometheus",
    "/health/live": "no rows",
    "/health/ready": "no rows",
}
"""What is not rows, or has a method of its own."""
OPERATORS = "/admin/"
"""How the service itself is doing, for who runs it: read by `get`."""
OURS = {"format", "time_format", "cursor"}
"""The client asks for Arrow, and for all rows in one answer."""
SPELLED = "x"

Method = tuple[str, str, set[str]]


class Kept(Questions[Question]):
    def _ask(self, asked: Question) -> Question:
        return asked


def methods() -> Iterator[Method]:
    """Name, path and parameters of every question, with and without the words of its path that may be left out."""
    for name, method in inspect.getmembers(Kept, inspect.isfunction):
        if name.startswith("_") or name in ("get", "lookup"):
            continue
        given = [p for p in inspect.signature(method).parameters.values() if p.name != "self"]
        positional = [p for p in given if p.kind is p.POSITIONAL_OR_KEYWORD]
        more = next((p.name for p in given if p.kind is p.VAR_KEYWORD), "")
        unpacked = method.__annotations__[more].__args__[0].__annotations__ if more else {}
        takes = {p.name for p in given if p.name != more} | set(unpacked)
        for count in {len(positional), sum(p.default is p.empty for p in positional)}:
            yield name, method(Kept(), *[SPELLED] * count).path, takes


def paths() -> list[tuple[str, set[str]]]:
    """Every path that is read, and its parameters."""
    document = create_app(Settings(scheduler=False)).openapi()
    return [
        (path, {one["name"] for one in verbs["get"].get("parameters", []) if one["in"] == "query"} - OURS)
        for path, verbs in document["paths"].items()
        if "get" in verbs and path not in OTHERWISE and not path.startswith(OPERATORS)
    ]


METHODS = [*methods()]


@pytest.mark.parametrize(("path", "parameters"), paths())
def test_every_path_has_a_method_with_its_parameters(path: str, parameters: set[str]) -> None:
    spelled = re.sub(r"\{\w+\}", SPELLED, path)
    found = {name: takes for name, asked, takes in METHODS if asked == spelled}
    assert found, f"no method of the client asks GET {path}"
    taken = set[str]().union(*found.values())
    assert parameters <= taken, f"{', '.join(found)}: GET {path} also has {', '.join(sorted(parameters - taken))}"


def test_what_is_left_out_is_there() -> None:
    every: dict[str, Any] = create_app(Settings(scheduler=False)).openapi()["paths"]
    assert set(OTHERWISE) <= set(every)


def test_no_method_asks_for_what_there_is_not() -> None:
    asked = {re.sub(r"\{\w+\}", SPELLED, path) for path, _ in paths()}
    assert {path for _, path, _ in METHODS} == asked


@pytest.mark.parametrize("client", [PerpstoreClient, AsyncPerpstoreClient])
def test_both_clients_have_them(client: type) -> None:
    assert issubclass(client, Questions)
