"""Requests over HTTP, and in one line why one failed."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nwb_neurid.errors import SourceNotFound, UnreadableSource

if TYPE_CHECKING:
    from requests import Response

PATIENCE_S = 30.0
MISSING = frozenset({404, 410})
REFUSED = frozenset({401, 403})
SECRETS = ("signature", "credential", "token", "sig=", "key=")

_HTTP = re.compile(
    r"(?P<scheme>https?://)([^/?#]*@)?(?P<place>[^?#]*)(?P<query>\?[^#]*)?(#.*)?", re.IGNORECASE | re.DOTALL
)


def named(url: str) -> str:
    """The URL as it may stand in messages and results: without a password, and without the query if that signs it."""
    if (match := _HTTP.fullmatch(url)) is None:
        return url
    signed = any(secret in (match["query"] or "").lower() for secret in SECRETS)
    return match["scheme"] + match["place"] + ("" if signed else match["query"] or "")


def requested(
    address: str, url: str, *, headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None
) -> "Response":
    """The server's answer, whatever it is, its body not yet fetched.

    Parameters
    ----------
    address
        What is asked for.
    url
        What the user asked for, for messages.
    headers, query
        Go with it.

    Raises
    ------
    UnreadableSource
        If there is no answer.
    """
    import requests

    try:
        return requests.get(address, headers=headers, params=query, timeout=PATIENCE_S, stream=True)
    except (requests.RequestException, ValueError) as error:  # ValueError: a host that is no host
        host = named(address).split("/")[2]
        raise UnreadableSource(
            f"{named(url)} cannot be read: {host or 'its server'} gave no answer ({reason(error)}). Check the address "
            "and the connection."
        ) from error


def check_granted(answer: "Response", url: str) -> None:
    """Refuse what the server refused.

    Raises
    ------
    SourceNotFound
        If there is nothing.
    UnreadableSource
        If it may not be read, or the server failed.
    """
    status = f"the server answered {answer.status_code} {answer.reason}"
    if answer.status_code in MISSING:
        raise SourceNotFound(f"{named(url)} does not exist: {status}. Check the address.")
    if answer.status_code in REFUSED:
        raise UnreadableSource(
            f"{named(url)} may not be read: {status}. Ask its owner for access, or download it with the program that "
            "you have access with."
        )
    if not answer.ok:
        raise UnreadableSource(f"{named(url)} cannot be read: {status}. Try again later.")


def reason(error: BaseException) -> str:
    """What the system said at the bottom of an error, without the addresses (and secrets) that libraries put in."""
    found = type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            found = cause.strerror
        cause = cause.__cause__ or cause.__context__
    return found
