"""A text of SQL cut into statements, and places in it as people count them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

TOKEN = re.compile(
    r"""
    (?P<end>;)
    | (?P<blank>\s+ | --[^\n]*)
    | (?P<comment>/\*)
    | (?P<command>\\[^\n]*)
    | [eE]'(?:\\.|''|[^'\\])*' | '(?:''|[^'])*' | "(?:""|[^"])*"
    | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$
    | (?P<open>[eE]?' | " | \$(?:[^\W\d]\w*)?\$)
    | [^\W\d][\w$]*
    | .
    """,
    re.DOTALL | re.VERBOSE,
)
COMMENT_EDGE = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL without its semicolon, or a line that begins with a backslash; where in the whole text it begins."""

    text: str
    line: int = 1
    column: int = 1

    def place(self, position: int) -> tuple[int, int]:
        """Line and column, from 1 on in the whole text, of a character of this statement."""
        before = self.text[: position - 1]
        lines = before.count("\n")
        return self.line + lines, (len(before) - before.rfind("\n") if lines else self.column + len(before))


def cut(text: str) -> tuple[list[Statement], Statement | None]:
    """The statements that end in a text, and what is begun after them; None where nothing is.

    Semicolons in strings, quoted names, dollar quotes and comments end nothing.
    """
    found: list[Statement] = []
    start: int | None = None
    for kind, at, end in _tokens(text):
        if start is None and kind not in ("blank", "end"):
            start = at
        if start is not None and (kind == "end" or (kind == "command" and start == at)):
            found.append(_statement(text, start, at if kind == "end" else end))
            start = None
    return found, None if start is None else _statement(text, start, len(text))


def _tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Kind, start and end of each token; what is opened and not closed is the last."""
    at = 0
    while at < len(text):
        token = cast(re.Match[str], TOKEN.match(text, at))  # its last alternative is any character
        kind, end = token.lastgroup or "", token.end()
        if kind == "comment":
            end = _comment_end(text, at)
            kind = "blank" if end else "open"
        yield kind, at, end
        if kind == "open":
            return
        at = end


def _comment_end(text: str, at: int) -> int:
    """Where a comment and all those within it are closed; 0 where they are not."""
    depth = 0
    for edge in COMMENT_EDGE.finditer(text, at):
        depth += 1 if edge[0] == "/*" else -1
        if not depth:
            return edge.end()
    return 0


def _statement(text: str, start: int, end: int) -> Statement:
    before = text[:start]
    return Statement(text[start:end], before.count("\n") + 1, start - before.rfind("\n"))
