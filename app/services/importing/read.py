"""A body of any format as chunks of rows."""

from collections.abc import Iterator, Sequence

from app.services.importing.arrow_rows import read_arrow, read_parquet
from app.services.importing.body import Body, Format, blocks, seekable
from app.services.importing.csv_rows import read_csv
from app.services.importing.datasets import Dataset
from app.services.importing.frame import Chunk
from app.services.importing.json_array import read_array
from app.services.importing.json_rows import read_ndjson
from app.services.importing.layout import words_of
from app.services.importing.options import Options


def chunks(body: Body, dataset: Dataset, options: Options) -> Iterator[Chunk]:
    """The rows of a body. Raises BrokenBody, TooLarge, and OSError for a file that is not there."""

    def wanted(names: Sequence[str]) -> tuple[set[int], set[int]]:
        return words_of(names, dataset, options)

    match body.format:
        case Format.CSV:
            yield from read_csv(blocks(body), wanted)
        case Format.NDJSON:
            yield from read_ndjson(blocks(body))
        case Format.JSON:
            yield from read_array(blocks(body))
        case Format.PARQUET:
            with seekable(body) as file:
                yield from read_parquet(file, wanted, body.limit)
        case Format.ARROW:
            with seekable(body) as file:
                yield from read_arrow(file)
