"""Servers that answer for a recording what no sound server answers; each is a function of a handler and a range."""

import re
import socketserver
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIZE = 10**6
"""What the file is said to have, in bytes."""


class Handler(socketserver.StreamRequestHandler):
    """Answers the request for the first byte as it should, and every other as the server's `hostile` does."""

    def handle(self):
        while line := self.rfile.readline():
            headers = dict(iter(lambda: tuple(self.rfile.readline().decode().strip().partition(": ")[::2]), ("", "")))
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("Range", ""))
            self.server.asked.append((line, headers))
            try:
                if wanted and wanted[0] == "bytes=0-0" and not self.server.at_once:
                    self.send(206, b"x", **{"Content-Range": f"bytes 0-0/{self.server.size}"})
                else:
                    self.server.hostile(self, *(map(int, wanted.groups()) if wanted else (0, 0)))
            except OSError:  # the client hung up
                return

    def send(self, status, body, reason="Fine", **headers):
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
        if "Content-Length" not in headers:
            lines.append(f"Content-Length: {len(body)}")
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def drip(self, pieces):
        for piece in pieces:
            if self.server.closed.wait(0.02):
                raise ConnectionError
            self.wfile.write(piece)
            self.wfile.flush()

    def pour(self):
        while not self.server.closed.is_set():
            self.wfile.write(b" " * 2**16)


class Server(socketserver.ThreadingTCPServer):
    """At `url`; `asked` are the requests that it had."""

    allow_reuse_address = daemon_threads = True

    def handle_error(self, request, client_address):
        pass

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/a.nwb"


@contextmanager
def serve(hostile: Callable | None = None, *, at_once: bool = False, size: object = SIZE) -> Iterator[Server]:
    """Run a server, hostile from the first request on or after one sound answer."""
    with Server(("127.0.0.1", 0), Handler) as server:
        server.hostile, server.at_once, server.size = hostile, at_once, size
        server.closed, server.asked = threading.Event(), []
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server
        finally:
            server.closed.set()
            server.shutdown()


def _range(first, last, size=SIZE):
    return {"Content-Range": f"bytes {first}-{last}/{size}"}


def silent(handler, *_):
    handler.server.closed.wait(60)


def dripping_body(handler, first, last):
    handler.send(206, b"", **{"Content-Length": last + 1 - first}, **_range(first, last))
    handler.drip(b"x" for _ in range(last + 1 - first))


def dripping_headers(handler, *_):
    handler.drip([b"HTTP/1.1 206 Fine\r\n", *(f"X-{number}: x\r\n".encode() for number in range(5000))])


def dripping_line(handler, *_):
    handler.drip(b"H" for _ in range(10**6))


def endless_body(handler, first, last):
    handler.send(206, b"", **{"Content-Length": 10**15}, **_range(first, last))
    handler.pour()


def endless_chunks(handler, first, last):
    head = f"HTTP/1.1 206 Fine\r\nTransfer-Encoding: chunked\r\nContent-Range: bytes {first}-{last}/{SIZE}\r\n\r\n"
    handler.wfile.write(head.encode())
    while not handler.server.closed.is_set():
        handler.wfile.write(b"10000\r\n" + b" " * 2**16 + b"\r\n")


def endless_headers(handler, *_):
    handler.wfile.write(b"HTTP/1.1 206 Fine\r\nX: ")
    handler.pour()


def endless_redirect_body(handler, *_):
    handler.send(302, b"", **{"Content-Length": 10**15, "Location": "/other.nwb"})
    handler.pour()


def redirects_in_a_circle(handler, *_):
    handler.send(302, b"", Location="/a.nwb")


def redirect_to_a_local_file(handler, *_):
    handler.send(302, b"", Location="file:///etc/passwd")


def compressed(handler, first, last):
    body = zlib.compress(bytes(last + 1 - first))
    handler.send(206, body, **{"Content-Encoding": "deflate"}, **_range(first, last))


def bomb(handler, first, last):
    body = zlib.compress(bytes(2**28))
    handler.send(206, body, **{"Content-Encoding": "gzip"}, **_range(first, last))


def other_range(handler, first, last):
    handler.send(206, bytes(last + 1 - first), **_range(first + 5, last + 5))


def too_short(handler, first, last):
    handler.send(206, b"x", **_range(first, last))


def whole_file(handler, *_):
    handler.send(200, b"x" * SIZE)


def gone(handler, *_):
    handler.send(410, b"", reason="\x1b[31mGone\x1b]0;title\x07")


def nonsense(handler, *_):
    handler.wfile.write(b"\0" * 1000)
    raise ConnectionError


def hangs_up(handler, *_):
    raise ConnectionError


def busy(handler, *_):
    handler.send(503, b"")


def zeros(handler, first, last):
    handler.send(206, bytes(last + 1 - first), **_range(first, last))


SECOND = {
    silent: "",
    dripping_body: "no complete answer within ",
    dripping_headers: "no complete answer within ",
    endless_body: "",
    endless_chunks: "",
    compressed: "the server compressed data that were requested uncompressed",
    other_range: "the server sent 'bytes 5-",
    too_short: "a different number of bytes than ",
    whole_file: "the server sent the whole file instead of a part",
    gone: "the server answered 410 Gone",
    redirects_in_a_circle: "the server answered 302 Found",
    busy: "the server answered 503 Service Unavailable",
    nonsense: "",
}
"""Servers that are hostile from the second request on, and what is reported of each."""

FIRST = (
    *(silent, dripping_headers, dripping_line, endless_headers, endless_redirect_body, redirects_in_a_circle),
    *(redirect_to_a_local_file, nonsense, hangs_up),
)
"""Servers that are hostile at once."""

SIZES = ("-1", "*", "0", "", "1e9", "9" * 30, "12x")
"""What is no size of a file."""
