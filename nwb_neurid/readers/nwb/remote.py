"""Files at a URL. Only the parts of a file that are needed are downloaded."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from nwb_neurid._system import limits
from nwb_neurid.errors import SourceUnreachable, UnreadableSource
from nwb_neurid.readers.nwb.dandi import download_address
from nwb_neurid.readers.nwb.s3 import http_addresses
from nwb_neurid.readers.nwb.web import REFUSED, Answer, Ranges, Waiting, check_granted, name_url, reason, request

OF_CONTENT = re.compile(r'"[0-9a-f]{32}(-\d+)?"')
"""The ETag of S3, which is a hash of the content. The ETags of other servers may consist of the date and the size."""


class RemoteFile:
    """A file at an address of HTTP, S3 or the DANDI archive, as a Python file object that h5py can read.

    Network problems are raised as errors of nwb-neurid here, because h5py would report them as a damaged file.

    Parameters
    ----------
    url
        The URL that the user gave.

    Raises
    ------
    SourceNotFound
        If there is nothing at the address.
    UnreadableSource
        If access is denied, the server does not support reading in parts, or remfile is missing.
    """

    def __init__(self, url: str) -> None:
        try:
            from remfile import File
        except ImportError as error:
            raise UnreadableSource(
                f"{name_url(url)} is not on this machine. To read it there: pip install boto3 remfile requests"
            ) from error
        self._url, self._read_bytes = url, 0
        waiting = Waiting()
        answer, size = _reach(url, waiting)
        self._ranges = Ranges(waiting)
        self._file: Any = File(answer.address, _size=size)
        self._file.session = self._ranges  # remfile's own session has no limit on the total time

    def read(self, size: int) -> bytes:
        """Read the next bytes."""
        try:
            found = bytes(self._file.read(size))
        except Exception as error:  # remfile raises only this general exception
            lost, why = UnreadableSource if self._ranges.is_refused else SourceUnreachable, self._ranges.fault
            raise lost(
                f"{name_url(self._url)} could not be read completely: the connection broke ({why or reason(error)}). "
                "Try again, or download the file."
            ) from error
        self._read_bytes += len(found)
        limits.allow(self._read_bytes)
        return found

    def seek(self, offset: int, whence: int = 0) -> None:
        """Move to a position, without a request to the server."""
        self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position of the next byte."""
        return int(self._file.tell())


def _addresses(url: str, waiting: Waiting) -> Iterable[str]:
    """Return the HTTP addresses of a URL. They are tried in turn until one is not refused."""
    match url.partition(":")[0].lower():
        case "dandi":
            return [download_address(url, waiting)]
        case "s3":
            return http_addresses(url)
    return [url]


def identify(url: str) -> str:
    """Identify the present content of a URL, by the ETag of the server and the size.

    Parameters
    ----------
    url
        A URL that `RemoteFile` accepts.

    Returns
    -------
    str
        A text that is the same for two URLs of one object, and changes when the object changes.

    Raises
    ------
    SourceNotFound
        If there is nothing at the address.
    UnreadableSource
        If access is denied, or the server does not support reading in parts.
    """
    answer, size = _reach(url, Waiting())
    mark = answer.headers.get("ETag", "")
    place = "" if OF_CONTENT.fullmatch(mark) else answer.address.partition("?")[0]
    return " ".join(["url", str(size), mark or answer.headers.get("Last-Modified", ""), place])


def _reach(url: str, waiting: Waiting) -> tuple[Answer, int]:
    """Return an answer from the address that all later requests use directly, and the size of the file in bytes."""
    for address in _addresses(url, waiting):
        answer = request(address, url, waiting, headers={"Range": "bytes=0-0"})
        if answer.status not in REFUSED:
            break
    if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise UnreadableSource(f"{name_url(url)} is empty: it has 0 bytes. Upload it again.")
    check_granted(answer, url)
    if "text/html" in answer.headers.get("Content-Type", ""):
        raise UnreadableSource(
            f"{name_url(url)} is a web page, a file was expected. Use the address that downloads the file."
        )
    if answer.status != HTTPStatus.PARTIAL_CONTENT:
        raise UnreadableSource(
            f"{name_url(url)} cannot be read in parts: its server does not support range requests. Download the "
            "file, and use the copy."
        )
    stated = re.fullmatch(r"bytes 0-0/([0-9]{1,18})", answer.headers.get("Content-Range", "").strip())
    if stated is None or int(stated[1]) == 0:
        raise UnreadableSource(
            f"{name_url(url)} cannot be read in parts: its server does not state its size. Download the file, and "
            "use the copy."
        )
    return answer, int(stated[1])
