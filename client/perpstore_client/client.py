"""The client that waits for its answers."""

import copy
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, Unpack, overload

import httpx
import pyarrow as pa

from perpstore_client.events import Event, feed
from perpstore_client.frames import Frame, FrameName, shaper
from perpstore_client.problems import PerpstoreError, problem
from perpstore_client.question import Parameter, Question, asked_for
from perpstore_client.questions import Questions
from perpstore_client.transport import Options, access, arriving, as_problems, check, pause, table

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


class PerpstoreClient(Questions[Frame], Generic[Frame]):
    """Questions to a perpstore, answered as frames.

    `frame`: `pandas` (the default where it is installed), `polars` or `arrow`. `client.polars.funding("BTC")` asks for
    another frame once, over the same connections. What has to be known to read the rows (`units`, `per`, `notices`, …)
    is in `attrs` of pandas frames and in the schema's metadata of Arrow tables.

    Answers 429 and 503 are asked for again when their `Retry-After` says, `tries` times in all (4); `timeout` is
    in seconds (60). Raises ValueError for an address or a key that is none.
    """

    @overload
    def __init__(
        self: "PerpstoreClient[pd.DataFrame]",
        url: str,
        api_key: str | None = None,
        *,
        frame: Literal["pandas"] | None = None,
        **options: Unpack[Options],
    ) -> None: ...
    @overload
    def __init__(
        self: "PerpstoreClient[pl.DataFrame]",
        url: str,
        api_key: str | None = None,
        *,
        frame: Literal["polars"],
        **options: Unpack[Options],
    ) -> None: ...
    @overload
    def __init__(
        self: "PerpstoreClient[pa.Table]",
        url: str,
        api_key: str | None = None,
        *,
        frame: Literal["arrow"],
        **options: Unpack[Options],
    ) -> None: ...
    def __init__(
        self, url: str, api_key: str | None = None, *, frame: FrameName | None = None, **options: Unpack[Options]
    ) -> None:
        self._shape = shaper(frame)
        self._access = access(url, api_key, **options)
        self._http = httpx.Client(**self._access.options())

    def __repr__(self) -> str:
        return f"PerpstoreClient({self._access!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    @property
    def pandas(self) -> "PerpstoreClient[pd.DataFrame]":
        """The same client, answering with frames of pandas."""
        return self._shaped("pandas")

    @property
    def polars(self) -> "PerpstoreClient[pl.DataFrame]":
        """The same client, answering with frames of Polars."""
        return self._shaped("polars")

    @property
    def arrow(self) -> "PerpstoreClient[pa.Table]":
        """The same client, answering with tables of Arrow."""
        return self._shaped("arrow")

    def _shaped(self, frame: FrameName) -> "PerpstoreClient[Any]":
        other: PerpstoreClient[Any] = copy.copy(self)
        other._shape = shaper(frame)
        return other

    def batches(self, path: str, **parameters: Parameter) -> Generator[pa.RecordBatch]:
        """The rows of any path as they arrive, however many: no more is held than one batch. Raises as `get`."""
        asked = asked_for(path, parameters)
        with self._answered(asked) as response:
            check(asked, response)
            pieces = response.iter_bytes()
            yield from arriving(lambda: next(pieces, b""))

    def stream(self, path: str, **parameters: Parameter) -> Generator[Frame]:
        """The same as frames, one a batch."""
        for batch in self.batches(path, **parameters):
            yield self._shape(pa.Table.from_batches([batch]))

    def events(self, topics: str | Sequence[str], last_event_id: str | None = None) -> Generator[Event]:
        """What just became known, as it does: `events(["funding:BTC", "spreads"])`.

        A connection that breaks, or on which the server dropped us (`dropped`), is made anew and goes on after the last
        event; `reset` says that it could not. Raises a `PerpstoreError` when that fails `tries` times in a row.
        """
        heard = feed(topics, last_event_id, self._access.tries)
        while True:
            try:
                with self._answered(heard.question()) as response:
                    for piece in response.iter_bytes():
                        yield from heard.read(piece)
                wait = heard.ended()
            except PerpstoreError as error:
                wait = heard.failed(error)
            time.sleep(wait)

    def _ask(self, asked: Question) -> Frame:
        with self._answered(asked) as response:
            response.read()
        return self._shape(table(asked, response))

    @contextmanager
    def _answered(self, asked: Question) -> Generator[httpx.Response]:
        """A good answer, of which the body is still to come."""
        with as_problems():
            response = self._good(asked)
            try:
                yield response
            finally:
                response.close()

    def _good(self, asked: Question) -> httpx.Response:
        tried = 0
        while True:
            tried += 1
            response = self._http.send(self._http.build_request(**self._access.request(asked)), stream=True)
            if response.is_success:
                return response
            response.read()
            time.sleep(pause(problem(response), tried, self._access.tries))
