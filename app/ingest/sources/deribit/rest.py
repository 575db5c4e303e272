"""Deribit over HTTP: JSON-RPC as GETs. What a call costs, the envelope of answers, and what errors mean."""

from datetime import timedelta
from typing import Generic, Literal, TypeVar

from app.ingest import spec
from app.ingest.spec import Json, Request, Trouble, Wire, get

DOCS = "https://docs.deribit.com/api-reference/market-data"
PUBLIC = "/api/v2/public/"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CALL, LISTING = 500, 10_000
BUDGETS = {
    "credits": spec.Budget(10 * CALL, timedelta(seconds=2.5)),
    "instruments": spec.Budget(5 * LISTING, timedelta(seconds=12.5)),
}
"""Credits of calls and, of their own pool, of lists of instruments.

Only an account's are published: 20 calls and 1 list a second, in bursts of 100 and 50. Who has no account is limited by
address, by a number that is not told. So this is a cautious guess, 4 calls a second in bursts of 10; a key does not
raise it, since REST is asked without one.
"""
TOO_MANY = {10028, 10066}
BUSY = {10040, 10041, 11051, 11056, 11094, 13028, 13503}
GONE = {13019, 13020}
INVALID, UNKNOWN = -32602, "instrument not found"
Result = TypeVar("Result")


class Answer(Wire, Generic[Result]):
    """`{"jsonrpc":"2.0","result":...,"usIn":1789939041264000,"usOut":...,"usDiff":42,"testnet":false}`"""

    testnet: Literal[False] = False
    result: Result


Rows = Answer[list[Json]]
SomeRows = Answer[spec.SomeRows]


def ask(method: str, /, **params: object) -> Request:
    """A public method with its parameters."""
    return get(PUBLIC + method, costs={"credits": CALL}, **params)


def ask_for_list(method: str, /, **params: object) -> Request:
    """One that tells which instruments there are, which is paid for apart."""
    return get(PUBLIC + method, costs={"instruments": LISTING}, **params)


def problem(status: int, body: Json) -> spec.Problem | None:
    """`{"error":{"code":-32602,"message":"Invalid params","data":{"reason":"...","param":"..."}},"testnet":false}`

    It comes with HTTP 400. `data` may be an object, a text or missing. What the test system tells is no market data.
    """
    match body:
        case {"testnet": True}:
            return spec.Problem(Trouble.REFUSED, "testnet", "an answer of the test system")
        case {"error": {"code": int(code), "message": str(message), **more}}:
            reason = _reason(more.get("data"))
            words = f"{message}: {reason}" if reason else message
            if code in GONE or (code == INVALID and reason == UNKNOWN):
                return spec.Problem(Trouble.ABSENT, str(code), words)
            return spec.told(status, code, words, too_many=TOO_MANY, busy=BUSY)
        case _:
            return None


def _reason(data: Json) -> str | None:
    match data:
        case {"reason": str(reason)} | str(reason):
            return reason
        case _:
            return None
