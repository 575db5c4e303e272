"""What DefiLlama tells: families of numbers of protocols and of chains, and metrics that stand by themselves."""

from dataclasses import replace

from app.ingest.sources.defillama.naming import Family, known
from app.records import Domain, Metric


def usd(name: str, about: str, covers: str = "instant", canonical: str = "", domain: Domain = "fundamental") -> Metric:
    """A metric in US dollars that stands by itself."""
    return Metric(name, canonical or name, "USD", domain, "daily", covers, about=about)


EARNINGS = Metric(
    "EARNINGS",
    "EARNINGS",
    "USD",
    "fundamental",
    "daily",
    "24h",
    signed=True,
    about="The daily revenue under the name of earnings: token incentives are not taken off, for they are not told. "
    "Of the running day that of the last 24 hours.",
)
NOTIONAL = usd("OPTIONS_NOTIONAL_24H", "Notional value of options traded in 24 hours.", "24h", domain="options")

FEES = Family("FEES", "fees", "fundamental", "All that users of a protocol paid.")
REVENUE = Family(
    "REVENUE",
    "fees",
    "fundamental",
    "The part of the fees that the protocol or its holders keep.",
    "dailyRevenue",
    also=EARNINGS,
    signed=True,
)
HOLDERS_REVENUE = Family(
    "HOLDERS_REVENUE",
    "fees",
    "fundamental",
    "The part of the revenue that goes to holders of the token.",
    "dailyHoldersRevenue",
    signed=True,
)
SUPPLY_SIDE_REVENUE = Family(
    "SUPPLY_SIDE_REVENUE",
    "fees",
    "fundamental",
    "The part of the fees that goes to who supplies the liquidity.",
    "dailySupplySideRevenue",
    signed=True,
)
PROTOCOL_REVENUE = Family(
    "PROTOCOL_REVENUE",
    "fees",
    "fundamental",
    "The part of the revenue that goes to the treasury.",
    "dailyProtocolRevenue",
    signed=True,
)
USER_FEES = Family("USER_FEES", "fees", "fundamental", "The part of the fees paid by users directly.", "dailyUserFees")
DEX_VOLUME = Family("DEX_VOLUME", "dexs", "trading", "Traded on decentralised spot exchanges.", changes="DEX")
DERIVATIVES_VOLUME = Family(
    "DERIVATIVES_VOLUME",
    "derivatives",
    "derivative",
    "Traded in perpetuals on decentralised exchanges.",
    changes="DERIVATIVES",
    canonical="PERP_VOLUME",
    needs_key=True,
)
OPTIONS_VOLUME = Family(
    "OPTIONS_VOLUME",
    "options",
    "options",
    "Notional value of options traded.",
    "dailyNotionalVolume",
    changes="OPTIONS",
    also=NOTIONAL,
)
OPTIONS_PREMIUM = Family("OPTIONS_PREMIUM", "options", "options", "Premium paid for options.", "dailyPremiumVolume")
AGGREGATOR_VOLUME = Family(
    "AGGREGATOR_VOLUME", "aggregators", "trading", "Traded through DEX aggregators.", changes="AGGREGATOR"
)
PROTOCOLS = (
    FEES,
    REVENUE,
    DEX_VOLUME,
    HOLDERS_REVENUE,
    SUPPLY_SIDE_REVENUE,
    PROTOCOL_REVENUE,
    USER_FEES,
    AGGREGATOR_VOLUME,
    OPTIONS_VOLUME,
    OPTIONS_PREMIUM,
    DERIVATIVES_VOLUME,
)


def _gas(family: Family) -> Family:
    """What a chain takes itself: another thing than what a protocol takes, and one entity may be both."""
    about = f"{family.about} Here of the gas fees that a chain itself takes."
    return replace(family, name=f"CHAIN_GAS_{family.name}", about=about, also=None)


CHAIN_GAS = {family.name: _gas(family) for family in PROTOCOLS if family.kind == "fees"}
"""Of chains, by the name of the family of protocols that is told beside it."""

_ON_CHAIN = "Sum over the protocols on the chain, not what the chain itself takes: that is CHAIN_GAS_FEES and _REVENUE."
CHAIN_FEES = Family("CHAIN_FEES", "fees", "fundamental", f"All that users of a chain's protocols paid. {_ON_CHAIN}")
CHAIN_REVENUE = Family(
    "CHAIN_REVENUE",
    "fees",
    "fundamental",
    f"What protocols on a chain and their holders keep. {_ON_CHAIN}",
    "dailyRevenue",
    signed=True,
)
CHAIN_DEX_VOLUME = Family(
    "CHAIN_DEX_VOLUME", "dexs", "trading", "Traded on the spot exchanges of a chain.", changes="CHAIN_DEX"
)
CHAIN_PERPS_VOLUME = Family(
    "CHAIN_PERPS_VOLUME",
    "derivatives",
    "derivative",
    "Traded in perpetuals on the exchanges of a chain.",
    changes="CHAIN_PERPS",
    needs_key=True,
)
CHAIN_OPTIONS_VOLUME = Family(
    "CHAIN_OPTIONS_VOLUME",
    "options",
    "options",
    "Notional value of options traded on a chain.",
    changes="CHAIN_OPTIONS",
)
CHAINS = (CHAIN_FEES, CHAIN_REVENUE, CHAIN_DEX_VOLUME, CHAIN_OPTIONS_VOLUME, CHAIN_PERPS_VOLUME)

CHAIN_TVL = usd("CHAIN_TVL", "Value locked in all protocols on the chain.", canonical="TVL")
_PARTS = "Of a parent the sum over its protocols."
TVL = usd("TVL", f"Value locked, without what is staked, borrowed or in pool2. {_PARTS}")
STAKING = usd("STAKING", f"The protocol's own token staked in it; not part of TVL. {_PARTS}")
POOL2 = usd("POOL2", f"Liquidity of pairs with the protocol's own token; not part of TVL. {_PARTS}")
BORROWED = usd("BORROWED", f"What is lent out; not part of TVL. {_PARTS}")


def _change(span: str, covers: str) -> Metric:
    about = f"Change of the TVL in {covers}."
    name = f"CHANGE_{span}"
    return Metric(name, f"TVL_{name}", "percent", "fundamental", "daily", covers, signed=True, about=about)


CHANGE_1H, CHANGE_1D, CHANGE_7D = _change("1H", "1h"), _change("1D", "24h"), _change("7D", "7d")
OPEN_INTEREST = usd("OPEN_INTEREST", "Open interest of a protocol that trades perpetuals.", domain="derivative")
OPEN_INTERESTS = Family("OPEN_INTEREST", "open-interest", "derivative", "Open interest of a protocol.")

_SUPPLY = "In circulation on all chains, at its price in US dollars whatever the peg"
STABLECOIN_SUPPLY = usd("STABLECOIN_SUPPLY", f"{_SUPPLY}.")
STABLECOIN_SUPPLY_PREV_DAY = usd("STABLECOIN_SUPPLY_PREV_DAY", f"{_SUPPLY}, a day before.")
STABLECOIN_SUPPLY_PREV_WEEK = usd("STABLECOIN_SUPPLY_PREV_WEEK", f"{_SUPPLY}, a week before.")
STABLECOIN_SUPPLY_PREV_MONTH = usd("STABLECOIN_SUPPLY_PREV_MONTH", f"{_SUPPLY}, a month before.")
STABLECOIN_PRICE = usd("STABLECOIN_PRICE", "Price of one.", canonical="PRICE", domain="trading")

_HALF = "Half of what was paid in and paid out"
BRIDGE_VOLUME = usd("BRIDGE_VOLUME", f"{_HALF} in a day.", "day")
BRIDGE_VOLUME_24H = usd("BRIDGE_VOLUME_24H", f"{_HALF} in the last complete day.", "24h", "BRIDGE_VOLUME")
BRIDGE_VOLUME_7D = usd("BRIDGE_VOLUME_7D", f"{_HALF} in the last 7 complete days.", "7d")
BRIDGE_VOLUME_30D = usd("BRIDGE_VOLUME_30D", f"{_HALF} in the last 30 complete days.", "30d")

_NET = "The gross flow is not told: one of INFLOW and OUTFLOW is always 0."
INFLOW = usd("INFLOW", f"Net flow into the protocol in 24 hours, 0 where more left. {_NET}", "24h")
OUTFLOW = usd("OUTFLOW", f"Net flow out of the protocol in 24 hours, 0 where more came. {_NET}", "24h")

ALL = (
    CHAIN_TVL,
    TVL,
    STAKING,
    POOL2,
    BORROWED,
    CHANGE_1H,
    CHANGE_1D,
    CHANGE_7D,
    OPEN_INTEREST,
    *(metric for metric in known(OPEN_INTERESTS) if metric.unit == "percent"),
    *(metric for family in (*PROTOCOLS, *CHAIN_GAS.values(), *CHAINS) for metric in known(family)),
    STABLECOIN_SUPPLY,
    STABLECOIN_SUPPLY_PREV_DAY,
    STABLECOIN_SUPPLY_PREV_WEEK,
    STABLECOIN_SUPPLY_PREV_MONTH,
    STABLECOIN_PRICE,
    BRIDGE_VOLUME,
    BRIDGE_VOLUME_24H,
    BRIDGE_VOLUME_7D,
    BRIDGE_VOLUME_30D,
    INFLOW,
    OUTFLOW,
)
