"""Every setting, from the environment or `.env`. Field descriptions are the reference page."""

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from dotenv import dotenv_values
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ENV_FILE = ".env"
WordList = Annotated[tuple[str, ...], NoDecode]
EXCHANGE, FRACTION = r"[a-z0-9][a-z0-9_.-]*", r"-?(?:0|0?\.\d+)"
MOST_DAYS = 36_500
RETENTION = "PERPSTORE_RETENTION_DAYS_"
OF_OPTIONS = ("option_tick", "option_trade", "depth", "option_1m", "greeks", "index_price")
RETAINED: Mapping[str, str] = {
    "candles_1m": "perp_1m",
    "perp_1m": "perp_1m",
    "liquidations": "liquidation",
    "candles_1h": "perp_1h",
    "perp_1h": "perp_1h",
    "open_interest": "open_interest",
    "predicted_funding": "predicted_funding",
    **dict(zip(OF_OPTIONS, OF_OPTIONS, strict=True)),
}
"""Datasets whose days can be set, and the fact table each is in."""
MINUTES_AND_TICKS = ("perp_1m", "liquidation", *OF_OPTIONS)
TOP_INSTRUMENTS = 50
SHORTEST_INTERVAL = 5
FEE = re.compile(rf"(\*|{EXCHANGE}):({FRACTION})/({FRACTION})", re.ASCII)
"""Fees of one exchange, `binance:0.0005/0.0002`: its name (`*`: all others), taker and maker as fractions."""


class Settings(BaseSettings):
    """What an operator can turn, in the environment by its alias or as `PERPSTORE_` + the field's name."""

    model_config = SettingsConfigDict(env_prefix="PERPSTORE_", env_file=ENV_FILE, extra="ignore", populate_by_name=True)

    database_url: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL 15 or later; absent: the embedded PostgreSQL under the data folder.",
    )
    read_database_url: SecretStr | None = Field(
        default=None, description="A streaming replica that answers all reads; absent: the same database."
    )
    data_dir: Path = Field(default=Path("data"), description="Folder of the embedded PostgreSQL.")
    database_dir: Path | None = Field(
        default=None,
        description="A folder on the disk that the database of `DATABASE_URL` is on, to tell how full that is; absent: "
        "not known. The embedded PostgreSQL is in the data folder.",
    )
    host: str = Field(default="127.0.0.1", description="Address `serve` listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port `serve` listens on.")
    scheduler: bool = Field(default=True, description="Pull on schedule while serving (`off`: only serve).")
    sources: WordList = Field(default=(), description="Sources to pull, comma-separated; empty: all.")
    history_days: int = Field(
        default=30, ge=0, description="How far back a dataset that holds nothing yet is filled on schedule."
    )
    backfills: bool = Field(default=True, description="Work chunks of back-fills while serving.")
    velo_pairs: Literal["full", "top100", "top50", "top20"] = Field(
        default="full", description="Which coins Velo is asked for: all, or those with the most open interest."
    )
    read_requires_key: bool = Field(default=False, description="Ask for a key with scope `read` on every read.")
    source_preference: WordList = Field(
        default=("exchange", "import"),
        description="Which source of one fact is preferred: `exchange` (the exchange itself), `import` or source ids.",
    )
    fees: WordList = Field(
        default=(),
        description="Your trading fees, `exchange:taker/maker` as fractions, comma-separated "
        "(`binance:0.0004/0.00018,*:0.0006/0.0002`; `*`: every other exchange); absent: published base tiers.",
    )
    capacity_share: float = Field(
        default=0.01, gt=0, le=1, description="Share of the smaller leg's open interest that a spread's capacity is."
    )
    read_connections: int = Field(default=6, ge=1, le=64, description="Database connections for reads.")
    write_connections: int = Field(default=6, ge=3, le=64, description="Database connections for pulls and writes.")
    stream_readers: int = Field(default=500, ge=1, description="How many may follow `/stream` at once, per process.")
    stream_heartbeat_s: float = Field(
        default=15.0, gt=0, le=3600, description="Seconds of silence on `/stream` after which a comment is sent."
    )
    streams: bool = Field(default=True, description="Collect minutes by the exchanges' sockets (`off`: open none).")
    minute_assets: int = Field(
        default=100,
        ge=0,
        description="Assets whose minutes are collected as they pass: those with the most open interest; 0: all.",
    )
    deribit_currencies: WordList = Field(
        default=("btc", "eth"),
        description="Currencies whose options, futures and ticks are collected from Deribit, such as `BTC,ETH,SOL`. Of "
        "how many options of one there are ticks: `PERPSTORE_WS_<CURRENCY>_TOP_N_INSTRUMENTS` (50).",
    )
    deribit_perpetual_interval: int = Field(
        default=60, ge=SHORTEST_INTERVAL, description="Seconds between snapshots of Deribit's perpetuals and futures."
    )
    deribit_option_interval: int = Field(
        default=60, ge=SHORTEST_INTERVAL, description="Seconds between snapshots of Deribit's option chains."
    )
    deribit_greeks_interval: int = Field(
        default=3600, ge=SHORTEST_INTERVAL, description="Seconds between greeks of Deribit's options."
    )
    deribit_index_interval: int = Field(
        default=60, ge=SHORTEST_INTERVAL, description="Seconds between Deribit's index prices."
    )
    deribit_volatility_index_interval: int = Field(
        default=60, ge=SHORTEST_INTERVAL, description="Seconds between pulls of Deribit's volatility index (DVOL)."
    )
    deribit_depth_interval: int = Field(
        default=300,
        ge=SHORTEST_INTERVAL,
        description="Seconds between order books of Deribit's perpetuals and futures.",
    )
    retention_days: int = Field(
        default=0,
        ge=0,
        le=MOST_DAYS,
        validate_default=True,
        description="Days that minutes and ticks are kept, from now back; 0: for ever. Of one dataset: "
        "`PERPSTORE_RETENTION_DAYS_<DATASET>`, such as `PERPSTORE_RETENTION_DAYS_PERP_1M`.",
    )
    archive_dir: Path | None = Field(
        default=None, description="Folder where what retention removes is written as Parquet first; absent: nowhere."
    )
    max_body_mb: int = Field(default=512, ge=1, description="Largest request body, after decompression, in MiB.")
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @property
    def most_traded(self) -> Mapping[str, int]:
        """Of sources that are not to be asked for every coin: for how many, by source."""
        return {} if self.velo_pairs == "full" else {"velo": int(self.velo_pairs.removeprefix("top"))}

    @property
    def disk_folder(self) -> Path | None:
        """A folder on the disk the database is on; None: nobody said where that is."""
        return self.database_dir or (None if self.database_url else self.data_dir)

    @property
    def kept_days(self) -> Mapping[str, int]:
        """Days that the rows of each fact table are kept; 0, or absent: for ever."""
        return {**dict.fromkeys(MINUTES_AND_TICKS, self.retention_days), **own_retention()}

    @field_validator("retention_days")
    @classmethod
    def _has_known_datasets(cls, days: int) -> int:
        own_retention()
        return days

    @field_validator("velo_pairs", mode="before")
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("sources", "source_preference", "fees", "deribit_currencies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(word.strip().lower() for word in value.split(",") if word.strip())

    @field_validator("fees")
    @classmethod
    def _are_fees(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [word for word in words if not FEE.fullmatch(word)]
        if wrong:
            raise ValueError(f"not exchange:taker/maker with fractions such as binance:0.0005/0.0002: {wrong[0]}")
        return words


@lru_cache
def environment() -> Mapping[str, str]:
    """`.env` overlaid by the process environment, for settings whose names depend on the sources present."""
    from_file = {name: value for name, value in dotenv_values(ENV_FILE).items() if value is not None}
    return {**from_file, **os.environ}


def words_of(source_id: str) -> Mapping[str, str]:
    """The settings of one source alone: `PERPSTORE_<SOURCE>_…` by the rest of their names, in lower case.

    Where there is a `<SOURCE>_API_KEY`, also that it is `keyed`: by a `pair` with a colon between, or by a `word`.
    """
    prefix = f"PERPSTORE_{source_id.upper()}_"
    found = {name.upper(): told for name, told in environment().items()}
    words = {name[len(prefix) :].lower(): told for name, told in found.items() if name.startswith(prefix)}
    key = found.get(f"{source_id.upper()}_API_KEY", "").strip()
    name, _, secret = key.partition(":")
    return {**words, **({"keyed": "pair" if name and secret else "word"} if key else {})}


def top_instruments(currency: str) -> int:
    """`PERPSTORE_WS_<CURRENCY>_TOP_N_INSTRUMENTS`: of how many options of a currency ticks are collected.

    Raises ValueError where it is no number.
    """
    name = f"PERPSTORE_WS_{currency.upper()}_TOP_N_INSTRUMENTS"
    told = environment().get(name, "").strip() or str(TOP_INSTRUMENTS)
    if not (told.isdecimal() and told.isascii()):
        raise ValueError(f"{name}: {told!r} is not a number of instruments")
    return int(told)


def check_top_instruments() -> None:
    """Raises ValueError where `PERPSTORE_WS_<CURRENCY>_TOP_N_INSTRUMENTS` of any currency is no number."""
    for name in environment():
        if found := re.fullmatch(r"PERPSTORE_WS_(\w+)_TOP_N_INSTRUMENTS", name, re.ASCII):
            top_instruments(found[1])


def own_retention() -> Mapping[str, int]:
    """Days of fact tables that `PERPSTORE_RETENTION_DAYS_<DATASET>` is set for. Raises ValueError."""
    found: dict[str, int] = {}
    for name, told in environment().items():
        if name.upper().startswith(RETENTION) and told.strip():
            fact, days = _own_days(name, told.strip())
            if found.setdefault(fact, days) != days:
                raise ValueError(f"{name}={told}: the same rows have {found[fact]} days under another name")
    return found


def _own_days(name: str, told: str) -> tuple[str, int]:
    dataset = name[len(RETENTION) :].lower().replace("-", "_")
    if dataset not in RETAINED:
        raise ValueError(f"{name}: no dataset {dataset} whose days can be set; there are {', '.join(RETAINED)}")
    if not (told.isdecimal() and told.isascii() and int(told) <= MOST_DAYS):
        raise ValueError(f"{name}: {told!r} is not a number of days from 0 to {MOST_DAYS}")
    return RETAINED[dataset], int(told)
