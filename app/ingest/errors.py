"""What can go wrong when an upstream is asked, sorted by what to do next.

UpstreamError
├── Unavailable   out of order or out of reach: ask again, with back-off
├── Throttled     asked too often: wait as told, then ask again
├── Malformed     an answer nobody can read: keep its body, do not ask again
├── Refused       key, region or parameter: stop asking
└── Absent        there is no such thing: nothing is wrong, and there is nothing to store
"""

from dataclasses import dataclass

TRANSPORT = "transport"
"""The code of `Unavailable` where no answer came at all."""


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked of whom, fit for logs: no host, no key, no secret parameter."""

    source: str
    path: str = ""
    symbol: str | None = None
    request: str = ""


class UpstreamError(Exception):
    """An upstream did not answer `question`. `code` is the upstream's own, or one of ours."""

    def __init__(self, message: str, question: Question, *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.question = question
        self.code = code

    def __str__(self) -> str:
        asked = (self.question.source, self.question.path, self.question.symbol)
        return f"{' '.join(word for word in asked if word)}: {self.message}"


class Unavailable(UpstreamError):
    """Out of order or out of reach. `retry_after`: seconds it asked for, or None."""

    def __init__(self, message: str, question: Question, *, code: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, question, code=code)
        self.retry_after = retry_after


class Throttled(UpstreamError):
    """Asked too often. `retry_after`: seconds it asked for, or None. `banned`: it has stopped listening for long."""

    def __init__(
        self,
        message: str,
        question: Question,
        *,
        code: str = "",
        retry_after: float | None = None,
        banned: bool = False,
    ) -> None:
        super().__init__(message, question, code=code)
        self.retry_after = retry_after
        self.banned = banned


class Malformed(UpstreamError):
    """An answer that could not be read: its HTTP status and its body as it came."""

    def __init__(self, message: str, question: Question, *, status: int, body: bytes) -> None:
        super().__init__(message, question, code="malformed")
        self.status = status
        self.body = body


class Refused(UpstreamError):
    """Asked wrongly or not allowed to ask. `everywhere`: whatever else is asked would be refused too."""

    def __init__(self, message: str, question: Question, *, code: str = "", everywhere: bool = False) -> None:
        super().__init__(message, question, code=code)
        self.everywhere = everywhere


class Absent(UpstreamError):
    """There is nothing of what was asked for: the upstream does not know it, or tells nothing of that kind of it."""
