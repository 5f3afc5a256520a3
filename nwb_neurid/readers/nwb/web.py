"""Requests over HTTP, and in one line why one failed."""

import errno
import json
import re
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.client import HTTPException
from queue import Empty, Queue
from threading import Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, TypeVar, cast

from nwb_neurid.errors import SourceNotFound, UnreadableSource

if TYPE_CHECKING:
    from requests import Response

Result = TypeVar("Result")

PATIENCE_S = 30.0
"""How long a server may be silent."""

ANSWER_S = 60.0
"""How long it may take to answer, and to send what is no file."""

WAITED_S, SLOWEST_BYTES_PER_S = 120.0, 2e4
"""How long all parts of a file may be waited for in vain, and how slowly they may come."""

MOST_FAILURES = 4
LARGEST_JSON_BYTES = 2**24
MISSING = frozenset({404, 410})
REFUSED = frozenset({401, 403})
SECRETS = ("signature", "credential", "token", "sig=", "key=")

_HTTP = re.compile(
    r"(?P<scheme>https?://)([^/?#]*@)?(?P<place>[^?#]*)(?P<query>\?[^#]*)?(#.*)?", re.IGNORECASE | re.DOTALL
)


def name_url(url: str) -> str:
    """Name a URL in messages and results: without a password, and without the query if that signs it."""
    if (match := _HTTP.fullmatch(url)) is None:
        return url
    signed = any(secret in (match["query"] or "").lower() for secret in SECRETS)
    return match["scheme"] + match["place"] + ("" if signed else match["query"] or "")


def request(
    address: str, url: str, *, headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None
) -> "Response":
    """Ask a server, and give its answer, whatever it is, its body not yet fetched.

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
        If there is no answer, or none in `ANSWER_S`.
    """
    import requests

    def ask() -> "Response":
        return requests.get(address, headers=headers, params=query, timeout=PATIENCE_S, stream=True)

    try:
        return run_within(ANSWER_S, ask)
    except (requests.RequestException, ValueError, TimeoutError) as error:  # ValueError: a host that is no host
        host = name_url(address).split("/")[2]
        raise UnreadableSource(
            f"{name_url(url)} cannot be read: {host or 'its server'} gave no answer ({reason(error)}). Check the "
            "address and the connection."
        ) from error


def read_json(answer: "Response", url: str, what: str) -> dict[str, object]:
    """Read the body of an answer as a JSON object; empty where it is other JSON.

    Parameters
    ----------
    answer
        Whose body was not fetched.
    url
        What the user asked for, for messages.
    what
        Who answers, for messages.

    Raises
    ------
    UnreadableSource
        If it is no JSON, too large, or does not come in `ANSWER_S`.
    """
    import requests

    def fetch() -> bytes:
        return bytes(answer.raw.read(LARGEST_JSON_BYTES + 1, decode_content=True))

    try:
        body = run_within(ANSWER_S, fetch)
        found = json.loads(body) if len(body) <= LARGEST_JSON_BYTES else None
    except (requests.RequestException, HTTPException, OSError, ValueError, RecursionError) as error:
        raise UnreadableSource(f"{url} cannot be read: {what} did not answer in JSON. Try again later.") from error
    return found if isinstance(found, dict) else {}


def run_within(seconds: float, call: Callable[[], Result]) -> Result:
    """Run something that waits for a server, for so long at most.

    The time-out of a socket starts anew with every byte, so that a server that drips would never be given up.

    Raises
    ------
    TimeoutError
        If it does not come back. Its thread is left to its socket's own time-out.
    """
    done: Queue[tuple[Result | None, BaseException | None]] = Queue()

    def run() -> None:
        try:
            done.put((call(), None))
        except BaseException as error:
            done.put((None, error))

    Thread(target=run, daemon=True).start()
    try:
        found, error = done.get(timeout=seconds)
    except Empty:
        raise TimeoutError(errno.ETIMEDOUT, f"nothing whole in {seconds:g} s") from None
    if error is not None:
        raise error
    return cast("Result", found)


class Ranges:
    """What `remfile` asks for parts of a file: as a session of `requests`, with limits on time and on what comes.

    `fault` is what was wrong last, in words.
    """

    def __init__(self) -> None:
        import requests

        self._session = requests.Session()
        self._spent_s = 0.0
        self._fetched = 0
        self._failures = 0
        self.fault = ""

    def get(self, url: str, headers: Mapping[str, str]) -> SimpleNamespace:
        """Fetch the range in the headers; an answer of 503 is tried again by `remfile`, one of 408 is not."""
        first, last = (int(end) for end in headers["Range"].removeprefix("bytes=").split("-"))
        wanted = {**headers, "Accept-Encoding": "identity"}
        if self._is_too_slow():
            self.fault = f"it gave less than {SLOWEST_BYTES_PER_S / 1000:g} kB/s"
            return SimpleNamespace(status_code=408, reason=self.fault, content=b"")
        limit_s = PATIENCE_S + (last + 1 - first) / SLOWEST_BYTES_PER_S
        began = time.monotonic()
        try:
            answer = run_within(limit_s, lambda: self._fetch(url, wanted, first, last))
        except Exception as error:  # whatever a server can make of a connection
            self._failures += 1
            self._spent_s += time.monotonic() - began
            self.fault = reason(error)
            lasts = self._failures >= MOST_FAILURES or self._is_too_slow()
            return SimpleNamespace(status_code=408 if lasts else 503, reason=self.fault, content=b"")
        self._spent_s += time.monotonic() - began
        self._fetched += len(answer.content)
        return answer

    def _is_too_slow(self) -> bool:
        return self._spent_s > WAITED_S + self._fetched / SLOWEST_BYTES_PER_S

    def _fetch(self, url: str, headers: Mapping[str, str], first: int, last: int) -> SimpleNamespace:
        with self._session.get(url, headers=dict(headers), timeout=PATIENCE_S, stream=True) as answer:
            status, size = answer.status_code, last + 1 - first
            if status != HTTPStatus.PARTIAL_CONTENT:
                if status == HTTPStatus.OK:
                    raise OSError(errno.EPROTO, "the server sent the whole file for a part of it")
                self.fault = f"the server answered {status} {answer.reason}"
                return SimpleNamespace(status_code=status, reason=answer.reason, content=b"")
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise OSError(errno.EPROTO, "the server compressed what was asked for as it is")
            if (sent := answer.headers.get("Content-Range", "")) and not sent.startswith(f"bytes {first}-{last}/"):
                raise OSError(errno.EPROTO, f"the server sent {sent[:40]!r}")
            content = bytes(answer.raw.read(size + 1, decode_content=False))
            if len(content) != size:
                raise OSError(errno.EPROTO, f"the server sent another number of bytes than {size}")
            return SimpleNamespace(status_code=status, reason=answer.reason, content=content)


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
        raise SourceNotFound(f"{name_url(url)} does not exist: {status}. Check the address.")
    if answer.status_code in REFUSED:
        raise UnreadableSource(
            f"{name_url(url)} may not be read: {status}. Ask its owner for access, or download it with the program "
            "that you have access with."
        )
    if not answer.ok:
        raise UnreadableSource(f"{name_url(url)} cannot be read: {status}. Try again later.")


def reason(error: BaseException) -> str:
    """What the system said at the bottom of an error, without the addresses (and secrets) that libraries put in."""
    found = type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            found = cause.strerror
        cause = cause.__cause__ or cause.__context__
    return found
