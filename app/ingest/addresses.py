"""Where sources are asked and listened to: at their own addresses, or where the environment says."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from app.settings import environment


def check(source_ids: Iterable[str]) -> None:
    """Raises ValueError where the environment has no address for one of these sources, but something else."""
    for source_id in source_ids:
        base_url(source_id, "")
        socket_url(source_id, "")


def socket_url(source_id: str, default: str) -> str:
    """Where a source's sockets are: `<SOURCE>_WS_URL` if set (scheme, host and port only), else its own address.

    Raises ValueError where that is no address.
    """
    return _address(f"{source_id.upper()}_WS_URL", default, ("ws", "wss"))


def base_url(source_id: str, default: str) -> str:
    """Where a source is asked: `<SOURCE>_BASE_URL` if set (scheme, host and port only), else its own address.

    Raises ValueError where that is no address.
    """
    return _address(f"{source_id.upper()}_BASE_URL", default, ("http", "https"))


def _address(name: str, default: str, schemes: tuple[str, ...]) -> str:
    """The one that is told is not in the error: there may be a password in it."""
    told = environment().get(name, "").strip()
    if told and not _is_address(told, schemes):
        raise ValueError(f"{name} is no address such as {schemes[0]}://127.0.0.1:9999 or {schemes[1]}://example.com")
    return (told or default).rstrip("/")


def _is_address(told: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(told)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
