"""Requests over HTTP, with an explanation in one line if one fails."""

import errno
import gc
import json
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from threading import Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin

from nwb_neurid.errors import SourceNotFound, SourceUnreachable, UnreadableSource

if TYPE_CHECKING:
    from requests import Response

Result = TypeVar("Result")

PATIENCE_S = 5.0
"""Maximum time without any data from a server."""

WAITED_S, SLOWEST_BYTES_PER_S = 10.0, 2e4
"""Maximum total waiting time for a server, over all requests for one source, and the minimum rate of data."""

MOST_FAILURES = 4  # maximum number of failures in succession
MOST_REDIRECTS = 10
LARGEST_JSON_BYTES = 2**24
MISSING = frozenset({404, 410})
REFUSED = frozenset({401, 403})
PERMANENT = frozenset(range(400, 500)) - {429}
FETCHING_ERRORS = (OSError, HTTPException)  # the exceptions of requests are OSErrors
SECRETS = ("signature", "credential", "token", "sig=", "key=")

_HTTP = re.compile(
    r"(?P<scheme>https?://)([^/?#]*@)?(?P<place>[^?#]*)(?P<query>\?[^#]*)?(#.*)?", re.IGNORECASE | re.DOTALL
)


def name_url(url: str) -> str:
    """Format a URL for messages and results: without a password, and without the query if it contains a signature."""
    if (match := _HTTP.fullmatch(url)) is None:
        return url
    signed = any(secret in (match["query"] or "").lower() for secret in SECRETS)
    return match["scheme"] + match["place"] + ("" if signed else match["query"] or "")


class Waiting:
    """The waiting time for a server, summed over all requests for one source.

    The time-out of a socket starts anew with every byte. A server that sends single bytes would therefore never time
    out.
    """

    def __init__(self) -> None:
        self._spent_s = 0.0
        self._fetched_bytes = 0

    def run(self, call: Callable[[], Result], expected_bytes: int = 0) -> Result:
        """Run a call that waits for a server, for at most the time that is left for it.

        Parameters
        ----------
        call
            The call. It gives up by itself if nothing arrives within `PATIENCE_S`.
        expected_bytes
            Number of bytes that it fetches.

        Raises
        ------
        TimeoutError
            If the call does not return in time. Its thread keeps running.
        """
        left_s = WAITED_S + self._fetched_bytes / SLOWEST_BYTES_PER_S - self._spent_s
        limit_s = min(left_s, WAITED_S + expected_bytes / SLOWEST_BYTES_PER_S)
        if limit_s <= 0:
            raise TimeoutError(errno.ETIMEDOUT, f"it sent less than {SLOWEST_BYTES_PER_S / 1000:g} kB/s")
        began = time.monotonic()
        try:
            found = _run_within(limit_s, call)
        finally:
            self._spent_s += time.monotonic() - began
        self._fetched_bytes += expected_bytes
        return found

    @property
    def is_over(self) -> bool:
        """Return whether the time limit has been reached."""
        return self._spent_s >= WAITED_S + self._fetched_bytes / SLOWEST_BYTES_PER_S


def name_status(code: int) -> str:
    """Describe an HTTP status in messages, without the text that the server sent, which may be anything.

    >>> name_status(404)
    '404 Not Found'
    """
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a server.

    Parameters
    ----------
    address
        The address after all redirects.
    status
        The HTTP status.
    headers
        The headers; upper and lower case in names do not matter.
    body
        The first bytes, as many as were requested.
    """

    address: str
    status: int
    headers: Mapping[str, str]
    body: bytes = b""


def request(
    address: str,
    url: str,
    waiting: Waiting,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    most_bytes: int = 0,
) -> Answer:
    """Send a request to a server, and return its answer, with any status.

    Parameters
    ----------
    address
        The address to request. Redirects are followed without reading their content.
    url
        The URL that the user gave, for messages.
    waiting
        The remaining waiting time.
    headers, query
        Headers and query of the request.
    most_bytes
        Largest number of bytes of the answer that are read.

    Raises
    ------
    SourceUnreachable
        If there is no answer, or none in time.
    """
    import requests

    def ask() -> Answer:
        place, params = address, query
        with requests.Session() as session:
            for _ in range(MOST_REDIRECTS):
                with session.get(
                    place,
                    headers={"Accept-Encoding": "identity", **(headers or {})},
                    params=params,
                    timeout=PATIENCE_S,
                    stream=True,
                    allow_redirects=False,
                ) as answer:
                    target = session.get_redirect_target(answer)
                    if target is None:
                        body = _read_body(answer, most_bytes) if most_bytes else b""
                        return Answer(answer.url, answer.status_code, answer.headers, body)
                    place, params = urljoin(answer.url, target), None
        raise requests.TooManyRedirects(errno.ELOOP, f"more than {MOST_REDIRECTS} redirects")

    try:
        return waiting.run(ask)
    except (*FETCHING_ERRORS, ValueError) as error:  # ValueError: the host name is invalid
        host = name_url(address).split("/")[2]
        raise SourceUnreachable(
            f"{name_url(url)} cannot be read: {host or 'its server'} did not answer ({reason(error)}). Check the "
            "address and the connection."
        ) from error


def parse_json(answer: Answer, url: str, what: str) -> dict[str, object]:
    """Parse the body of an answer as a JSON object. The result is empty if it is another JSON value.

    Parameters
    ----------
    answer
        An answer with a body of at most `LARGEST_JSON_BYTES`.
    url
        The URL that the user gave, for messages.
    what
        Name of the server, for messages.

    Raises
    ------
    UnreadableSource
        If it is not JSON.
    """
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise UnreadableSource(f"{url} cannot be read: {what} did not answer in JSON. Try again later.") from error
    return found if isinstance(found, dict) else {}


def _read_body(answer: "Response", most_bytes: int) -> bytes:
    """Read at most `most_bytes` of a body as they arrive.

    Compressed bodies are refused, because they could be much larger.
    """
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise OSError(errno.EPROTO, "the server compressed data that were requested uncompressed")
    try:
        return bytes(answer.raw.read(most_bytes, decode_content=False))
    except Exception as error:  # an exception of urllib3, which requests does not convert
        raise ConnectionError(errno.EPROTO, reason(error)) from error


def _run_within(seconds: float, call: Callable[[], Result]) -> Result:
    """Run a function in a thread.

    h5py holds its lock while it requests bytes of a file. If the garbage collector ran in the thread, it could find
    h5py objects, which wait for this lock. Therefore the garbage collector is disabled during the call.
    """
    done: Future[Result] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except BaseException as error:
            done.set_exception(error)

    collects = gc.isenabled()
    gc.disable()
    try:
        Thread(target=run, daemon=True).start()
        wait([done], seconds)
        if not done.done():
            raise TimeoutError(errno.ETIMEDOUT, f"no complete answer within {seconds:.2g} s")
        return done.result()
    finally:
        if collects:
            gc.enable()


class Ranges:
    """Replacement for the `requests` session of `remfile`, which fetches parts of a file, with limits on time and size.

    `fault` describes the last problem. `is_refused` states whether the server refused permanently.
    """

    def __init__(self, waiting: Waiting) -> None:
        import requests

        self._session = requests.Session()
        self._waiting = waiting
        self._failures = 0
        self.fault = ""
        self.is_refused = False

    def get(self, url: str, headers: Mapping[str, str]) -> SimpleNamespace:
        """Fetch the range in the headers. `remfile` tries again after the status 503, but not after 408."""
        first, last = (int(end) for end in headers["Range"].removeprefix("bytes=").split("-"))
        wanted = {**headers, "Accept-Encoding": "identity"}
        try:
            answer = self._waiting.run(lambda: self._fetch(url, wanted, first, last), last + 1 - first)
        except Exception as error:  # a server can cause any exception
            self._failures += 1
            self.fault = reason(error)
            lasts = self._failures >= MOST_FAILURES or self._waiting.is_over
            return SimpleNamespace(status_code=408 if lasts else 503, reason=self.fault, content=b"")
        self._failures = 0
        return answer

    def _fetch(self, url: str, headers: Mapping[str, str], first: int, last: int) -> SimpleNamespace:
        with self._session.get(
            url, headers=dict(headers), timeout=PATIENCE_S, stream=True, allow_redirects=False
        ) as answer:
            status, size = answer.status_code, last + 1 - first
            if status == HTTPStatus.OK:
                raise OSError(errno.EPROTO, "the server sent the whole file instead of a part")
            if status in PERMANENT:
                self.fault, self.is_refused = f"the server answered {name_status(status)}", True
                return SimpleNamespace(status_code=status, reason="", content=b"")
            if status != HTTPStatus.PARTIAL_CONTENT:
                raise OSError(errno.EPROTO, f"the server answered {name_status(status)}")
            if (sent := answer.headers.get("Content-Range", "")) and not sent.startswith(f"bytes {first}-{last}/"):
                raise OSError(errno.EPROTO, f"the server sent {sent[:40]!r}")
            content = _read_body(answer, size + 1)
            if len(content) != size:
                raise OSError(errno.EPROTO, f"the server sent a different number of bytes than {size}")
            return SimpleNamespace(status_code=status, reason="", content=content)


def check_granted(answer: Answer, url: str) -> None:
    """Raise an error if the server refused the request.

    Raises
    ------
    SourceNotFound
        If there is nothing at the address.
    UnreadableSource
        If access is denied.
    SourceUnreachable
        If the server failed.
    """
    status = f"the server answered {name_status(answer.status)}"
    if answer.status in MISSING:
        raise SourceNotFound(f"{name_url(url)} does not exist: {status}. Check the address.")
    if answer.status in REFUSED:
        raise UnreadableSource(
            f"{name_url(url)} cannot be read: {status}. Ask its owner for access, or download it with the program "
            "that has your access rights."
        )
    if answer.status >= HTTPStatus.BAD_REQUEST:
        kind = UnreadableSource if answer.status in PERMANENT else SourceUnreachable
        raise kind(f"{name_url(url)} cannot be read: {status}. Try again later.")


def reason(error: BaseException) -> str:
    """Return the message of the original cause of an error, without addresses (and secrets) that libraries add."""
    found = type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            found = cause.strerror
        elif isinstance(cause, TimeoutError):
            found = "timed out"
        cause = cause.__cause__ or cause.__context__
    return found
