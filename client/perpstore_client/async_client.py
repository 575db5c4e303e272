"""The client whose answers are awaited."""

import copy
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, Unpack, overload

import anyio
import httpx
import pyarrow as pa
from anyio import from_thread, to_thread

from perpstore_client.events import Event, feed
from perpstore_client.frames import Frame, FrameName, shaper
from perpstore_client.problems import PerpstoreError, problem
from perpstore_client.question import Parameter, Question, asked_for
from perpstore_client.questions import Questions
from perpstore_client.transport import Options, access, arriving, as_problems, check, pause, table

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


class AsyncPerpstoreClient(Questions[Coroutine[Any, Any, Frame]], Generic[Frame]):
    """The same questions as `PerpstoreClient`, answered with what is awaited for a frame, under asyncio or trio.

    Its arguments are those of `PerpstoreClient`, too.
    """

    @overload
    def __init__(
        self: "AsyncPerpstoreClient[pd.DataFrame]",
        url: str,
        api_key: str | None = None,
        *,
        frame: Literal["pandas"] | None = None,
        **options: Unpack[Options],
    ) -> None: ...
    @overload
    def __init__(
        self: "AsyncPerpstoreClient[pl.DataFrame]",
        url: str,
        api_key: str | None = None,
        *,
        frame: Literal["polars"],
        **options: Unpack[Options],
    ) -> None: ...
    @overload
    def __init__(
        self: "AsyncPerpstoreClient[pa.Table]",
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
        self._http = httpx.AsyncClient(**self._access.options())

    def __repr__(self) -> str:
        return f"AsyncPerpstoreClient({self._access!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    @property
    def pandas(self) -> "AsyncPerpstoreClient[pd.DataFrame]":
        """The same client, answering with frames of pandas."""
        return self._shaped("pandas")

    @property
    def polars(self) -> "AsyncPerpstoreClient[pl.DataFrame]":
        """The same client, answering with frames of Polars."""
        return self._shaped("polars")

    @property
    def arrow(self) -> "AsyncPerpstoreClient[pa.Table]":
        """The same client, answering with tables of Arrow."""
        return self._shaped("arrow")

    def _shaped(self, frame: FrameName) -> "AsyncPerpstoreClient[Any]":
        other: AsyncPerpstoreClient[Any] = copy.copy(self)
        other._shape = shaper(frame)
        return other

    async def batches(self, path: str, **parameters: Parameter) -> AsyncGenerator[pa.RecordBatch]:
        """The rows of any path as they arrive, however many: no more is held than one batch. Raises as `get`.

        Arrow reads them in a worker thread, which asks for the next piece in this one.
        """
        asked = asked_for(path, parameters)
        async with self._answered(asked) as response:
            check(asked, response)
            pieces = response.aiter_bytes()
            reader = await to_thread.run_sync(arriving, lambda: from_thread.run(_next, pieces))
            while (batch := await to_thread.run_sync(next, reader, None)) is not None:
                yield batch

    async def stream(self, path: str, **parameters: Parameter) -> AsyncGenerator[Frame]:
        """The same as frames, one a batch."""
        async with aclosing(self.batches(path, **parameters)) as batches:
            async for batch in batches:
                yield self._shape(pa.Table.from_batches([batch]))

    async def events(self, topics: str | Sequence[str], last_event_id: str | None = None) -> AsyncGenerator[Event]:
        """What just became known, as it does; see `PerpstoreClient.events`."""
        heard = feed(topics, last_event_id, self._access.tries)
        while True:
            try:
                async with self._answered(heard.question()) as response:
                    async for piece in response.aiter_bytes():
                        for event in heard.read(piece):
                            yield event
                wait = heard.ended()
            except PerpstoreError as error:
                wait = heard.failed(error)
            await anyio.sleep(wait)

    async def _ask(self, asked: Question) -> Frame:
        async with self._answered(asked) as response:
            await response.aread()
        return self._shape(table(asked, response))

    @asynccontextmanager
    async def _answered(self, asked: Question) -> AsyncGenerator[httpx.Response]:
        """A good answer, of which the body is still to come."""
        with as_problems():
            response = await self._good(asked)
            try:
                yield response
            finally:
                await response.aclose()

    async def _good(self, asked: Question) -> httpx.Response:
        tried = 0
        while True:
            tried += 1
            response = await self._http.send(self._http.build_request(**self._access.request(asked)), stream=True)
            if response.is_success:
                return response
            await response.aread()
            await anyio.sleep(pause(problem(response), tried, self._access.tries))


async def _next(pieces: AsyncIterator[bytes]) -> bytes:
    return await anext(pieces, b"")
