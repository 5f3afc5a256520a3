"""Remote files are read as local ones are, in parts, from a server of this test; nothing else is asked."""

import gc
import json
import re
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import h5py
import numpy as np
import pytest

from nwb_neurid import readers
from nwb_neurid.contracts import ReadOptions, is_url
from nwb_neurid.errors import InvalidOption, SourceNotFound, SourceUnreachable, UnknownSource, UnreadableSource
from nwb_neurid.readers.nwb import PLUGIN, dandi, web
from nwb_neurid.readers.nwb.remote import identify
from nwb_neurid.readers.nwb.web import name_url

pytest.importorskip("remfile", reason="remote files need nwb-neurid[remote]")
pytest.importorskip("boto3", reason="files in S3 need nwb-neurid[remote]")

SPEC = spec_from_file_location("servers", Path(__file__).parents[3] / "faults" / "servers.py")
servers = module_from_spec(SPEC)
SPEC.loader.exec_module(servers)

ASSET = "0a1b2c3d-0000-4000-8000-000000000001"
IN_DANDI = "sub-1/sub-1_ecephys.nwb"


class Answers(BaseHTTPRequestHandler):
    """Files and JSON by their path; a status by itself; a text for a redirect. Parts of files, if asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        found = self.server.answers.get(urlsplit(self.path).path, 404)
        self.server.asked.append((self.path, self.headers.get("Range")))
        if callable(found):
            found = found(self)
        if isinstance(found, int):
            self.answer(found, b"")
        elif isinstance(found, str):
            self.answer(302, b"", Location=found)
        elif isinstance(found, dict):
            self.answer(200, json.dumps(found).encode())
        else:
            self.part(found)

    def part(self, data):
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "") if self.server.knows_ranges else "")
        if wanted is None:
            return self.answer(200, data)
        first, last = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
        if first >= len(data):
            return self.answer(416, b"")
        return self.answer(206, data[first : last + 1], **{"Content-Range": f"bytes {first}-{last}/{len(data)}"})

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), "Content-Type": self.server.kind, **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.headers.get("Range") or len(body) < 2**16:
            self.wfile.write(body)
        else:
            self.close_connection = True  # nobody waits for the whole of a large file

    def log_message(self, *_):
        pass


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


class Server(ThreadingHTTPServer):
    """Says nothing of clients that hang up, which is how a file's length is asked for."""

    request_queue_size = 128  # at 5, a busy machine turns clients away

    def handle_error(self, request, client_address):
        pass


@pytest.fixture
def server():
    """A server of what is put into `answers`; `asked` are the requests that it had."""
    with Server(("127.0.0.1", 0), Answers) as serving:
        serving.answers, serving.asked = {}, []
        serving.knows_ranges, serving.kind = True, "application/octet-stream"
        serving.url = f"http://127.0.0.1:{serving.server_port}"
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture
def published(server, hdf5, sound, electrodes):
    """Serves a recording as /recording.nwb, and gives its path on this machine."""
    path = hdf5({**sound, **electrodes, "units/quality": ["good"] * 4})
    server.answers["/recording.nwb"] = path.read_bytes()
    return path


@pytest.fixture
def archive(server, published, monkeypatch):
    """The DANDI archive with one dandiset, of one published version, with the recording and one called alike."""
    monkeypatch.setattr(dandi, "API", f"{server.url}/api")
    assets = [{"path": f"{IN_DANDI}.old", "asset_id": "other"}, {"path": IN_DANDI, "asset_id": ASSET}]

    def listed(request):
        query = parse_qs(urlsplit(request.path).query)
        assert query["order"] == ["path"]
        return {"results": [asset for asset in assets if asset["path"].startswith(query["path"][0])]}

    server.answers |= {
        "/api/dandisets/000006/": {"most_recent_published_version": {"version": "0.220126.1855"}},
        "/api/dandisets/000007/": {"most_recent_published_version": None},
        "/api/dandisets/000006/versions/0.220126.1855/assets/": listed,
        "/api/dandisets/000006/versions/draft/assets/": listed,
        "/api/dandisets/000007/versions/draft/assets/": listed,
        f"/api/assets/{ASSET}/download/": f"{server.url}/recording.nwb",
    }
    return server


@pytest.fixture
def bucket(server, monkeypatch, tmp_path):
    """S3 as this server: whoever has credentials may read everything, others what is not `private`."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return server


def refusal(url, kind=UnreadableSource):
    with pytest.raises(kind) as refused:
        PLUGIN.read(url, ReadOptions())
    assert "\n" not in str(refused.value)
    return str(refused.value)


def assert_same(remote_one, local_one):
    assert np.array_equal(remote_one.spikes.times_s, local_one.spikes.times_s)
    assert np.array_equal(remote_one.spikes.splits, local_one.spikes.splits)
    assert np.array_equal(remote_one.observed_s, local_one.observed_s)
    assert np.array_equal(remote_one.unit_ids, local_one.unit_ids)
    assert remote_one.labels.keys() == local_one.labels.keys()
    assert remote_one.session_id == local_one.session_id


def test_a_remote_file_is_read_as_a_local_one(server, published):
    url = f"{server.url}/recording.nwb"
    population = readers.read(url)
    assert_same(population, readers.read(published))
    assert population.source == url


@pytest.mark.usefixtures("published")
def test_options_are_those_of_local_files(server):
    url = f"{server.url}/recording.nwb"
    with pytest.raises(InvalidOption, match=re.escape(f"{url} has no recording of neurons at --from nowhere")):
        readers.read(url, part="nowhere")


def test_only_what_is_read_is_fetched(server, hdf5, sound):
    path = hdf5({**sound, "acquisition/raw/data": np.zeros(4_000_000)})
    server.answers["/large.nwb"] = path.read_bytes()
    assert len(readers.read(f"{server.url}/large.nwb")) == 4
    parts = [re.fullmatch(r"bytes=(\d+)-(\d+)", part) for _, part in server.asked if part]
    fetched = sum(int(part[2]) - int(part[1]) + 1 for part in parts)
    assert fetched < path.stat().st_size / 20
    assert len(server.asked) < 10


def test_a_redirect_is_followed_once(server, published):
    server.answers["/latest"] = f"{server.url}/recording.nwb"
    population = readers.read(f"{server.url}/latest")
    assert_same(population, readers.read(published))
    assert population.source == f"{server.url}/latest"
    assert [path for path, _ in server.asked].count("/latest") == 1


@pytest.mark.usefixtures("published")
def test_secrets_stay_out_of_results_and_messages(server):
    url = f"{server.url}/recording.nwb".replace("//", "//me:word@")
    assert readers.read(f"{url}?X-Amz-Signature=ab12").source == f"{server.url}/recording.nwb"
    assert name_url("https://host/files?id=7#top") == "https://host/files?id=7"
    assert "ab12" not in refusal(f"{server.url}/other.nwb?X-Amz-Signature=ab12", SourceNotFound)


@pytest.mark.parametrize("version", ["", "@0.220126.1855", "@draft"])
@pytest.mark.usefixtures("archive")
def test_a_file_of_the_dandi_archive(published, version):
    url = f"dandi://000006{version}/{IN_DANDI}"
    population = readers.read(url)
    assert_same(population, readers.read(published))
    assert population.source == url


def test_a_dandiset_without_a_published_version_is_read_in_its_draft(archive, published):
    assert_same(readers.read(f"dandi://dandi/000007/{IN_DANDI}"), readers.read(published))
    assert any("/versions/draft/" in path for path, _ in archive.asked)


def test_a_download_address_of_the_dandi_archive(archive, published):
    assert_same(readers.read(f"{archive.url}/api/assets/{ASSET}/download/"), readers.read(published))


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("dandi://000009/a.nwb", "the DANDI archive has no dandiset 000009. Check the address."),
        ("dandi://000006@9.9/a.nwb", "the DANDI archive has no dandiset 000006 in version 9.9. Check the address."),
        (
            "dandi://000006/sub-1/sub-1",
            "dandiset 000006 in version 0.220126.1855 has no file sub-1/sub-1. Check the path.",
        ),
        ("dandi://000006/a.nwb", "dandiset 000006 in version 0.220126.1855 has no file a.nwb. Check the path."),
    ],
)
@pytest.mark.usefixtures("archive")
def test_what_the_dandi_archive_does_not_have(url, fault):
    assert refusal(url, SourceNotFound) == f"{url} does not exist: {fault}"


@pytest.mark.parametrize("url", ["dandi://000006", "dandi://6/a.nwb", "dandi://000006/", "dandi://000006@/a.nwb"])
def test_what_is_no_address_of_the_dandi_archive(url):
    assert refusal(url) == (
        f"{url} is not the address of a file in the DANDI archive. Write dandi://DANDISET/path/in/the/dandiset.nwb, "
        "where DANDISET has six digits, optionally followed by @VERSION."
    )


def test_a_dandi_archive_that_is_none(archive):
    archive.answers["/api/dandisets/000006/"] = b"<html>"
    message = "dandi://000006/a.nwb cannot be read: the DANDI archive did not answer in JSON. Try again later."
    assert refusal("dandi://000006/a.nwb") == message


@pytest.mark.parametrize(
    "answer", [{"results": None}, {"results": [{}]}, {"results": [7, {"path": "a.nwb"}]}, {"results": {}}]
)
def test_a_dandi_archive_that_answers_differently(archive, answer):
    archive.answers["/api/dandisets/000006/versions/draft/assets/"] = answer
    refusal("dandi://000006@draft/a.nwb", SourceNotFound)


def test_an_embargoed_dandiset(archive):
    archive.answers["/api/dandisets/000006/"] = 401
    message = refusal("dandi://000006/a.nwb")
    assert message.startswith("dandi://000006/a.nwb cannot be read: the server answered 401 Unauthorized.")


def test_an_object_in_s3(bucket, published):
    bucket.answers["/lab/sub%201/a.nwb"] = published.read_bytes()
    population = readers.read("s3://lab/sub 1/a.nwb")
    assert_same(population, readers.read(published))
    assert population.source == "s3://lab/sub 1/a.nwb"
    assert not any("Signature" in path for path, _ in bucket.asked)


def test_a_private_object_in_s3_is_read_with_the_credentials_there_are(bucket, published, monkeypatch):
    data = published.read_bytes()
    bucket.answers["/lab/private.nwb"] = lambda request: data if "X-Amz-Signature" in request.path else 403
    message = refusal("s3://lab/private.nwb")
    assert message == (
        "s3://lab/private.nwb cannot be read: the server answered 403 Forbidden. Ask its owner for access, or "
        "download it with the program that has your access rights."
    )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "word")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert_same(readers.read("s3://lab/private.nwb"), readers.read(published))


@pytest.mark.usefixtures("bucket")
def test_what_s3_does_not_have():
    message = "s3://lab/a.nwb does not exist: the server answered 404 Not Found. Check the address."
    assert refusal("s3://lab/a.nwb", SourceNotFound) == message
    assert refusal("s3://lab") == "s3://lab is not the address of an object in S3. Write s3://bucket/key."


def test_an_aws_configuration_that_is_broken(bucket, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    message = refusal("s3://lab/a.nwb")
    assert message.startswith("s3://lab/a.nwb cannot be read: ")
    assert "nobody" in message
    assert message.endswith("Check the AWS configuration.")
    assert bucket.asked == []


@pytest.mark.parametrize(
    ("status", "kind", "line"),
    [
        (404, SourceNotFound, "does not exist: the server answered 404 Not Found. Check the address."),
        (
            403,
            UnreadableSource,
            "cannot be read: the server answered 403 Forbidden. Ask its owner for access, or download it with the "
            "program that has your access rights.",
        ),
        (503, UnreadableSource, "cannot be read: the server answered 503 Service Unavailable. Try again later."),
    ],
)
def test_a_server_that_refuses(server, status, kind, line):
    server.answers["/a.nwb"] = status
    assert refusal(f"{server.url}/a.nwb", kind) == f"{server.url}/a.nwb {line}"


def test_nobody_there():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        message = refusal(f"http://{host}/a.nwb?token=ab12")
    assert message.startswith(f"http://{host}/a.nwb cannot be read: {host} did not answer (")
    assert "refused" in message
    assert message.endswith("). Check the address and the connection.")


@pytest.mark.parametrize("url", ["http://", "http:///a.nwb", "https://[::1/a.nwb"])
def test_an_address_that_is_none(url):
    assert " cannot be read: " in refusal(url)


def test_a_server_that_does_not_answer(monkeypatch):
    monkeypatch.setattr("nwb_neurid.readers.nwb.web.PATIENCE_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        message = refusal(f"http://{host}/a.nwb")
    assert message.startswith(f"http://{host}/a.nwb cannot be read: {host} did not answer (")


def test_a_server_without_range_requests(server, published):
    server.knows_ranges = False
    url = f"{server.url}/{published.name}"
    assert refusal(url) == (
        f"{url} cannot be read in parts: its server does not support range requests. Download the file, and use the "
        "copy."
    )


def test_a_web_page(server):
    server.kind, server.answers["/dandiset/000006"] = "text/html; charset=utf-8", b"<html></html>"
    url = f"{server.url}/dandiset/000006"
    assert refusal(url) == (f"{url} is a web page, a file was expected. Use the address that downloads the file.")


def test_an_empty_file(server):
    server.answers["/a.nwb"] = b""
    assert refusal(f"{server.url}/a.nwb") == f"{server.url}/a.nwb is empty: it has 0 bytes. Upload it again."


def test_what_is_no_hdf5(server):
    server.answers["/a.nwb"] = b"not HDF5 at all" * 1000
    url = f"{server.url}/a.nwb"
    assert refusal(url) == f"{url} is not an HDF5 file, an NWB file in HDF5 was expected. Check the address."


def test_a_truncated_file(server, published):
    server.answers["/a.nwb"] = published.read_bytes()[:5000]
    url = f"{server.url}/a.nwb"
    assert refusal(url) == f"{url} is truncated: it is shorter than its header states. Upload it again."


def test_a_damaged_header(server, published):
    data = bytearray(published.read_bytes())
    data[8:16] = b"\xff" * 8
    server.answers["/a.nwb"] = bytes(data)
    message = refusal(f"{server.url}/a.nwb")
    assert message.startswith(f"{server.url}/a.nwb is damaged: ")
    assert message.endswith("Upload it again.")


def test_hdf5_that_is_no_nwb(server, hdf5, sound):
    server.answers["/a.h5"] = hdf5({**sound, "@nwb_version": None}).read_bytes()
    url = f"{server.url}/a.h5"
    message = f"{url} is an HDF5 file but not an NWB file: it states no nwb_version. Convert it to NWB."
    assert refusal(url) == message


@pytest.fixture
def failing(server, hdf5, sound):
    """Serves a file that opens, and whose spikes `fails` answers for."""
    times_s = np.linspace(0.1, 9.9, 200_000)
    sound |= {"units/spike_times": times_s, "units/spike_times_index": [100_000, 150_000, 150_000, 200_000]}
    data = hdf5(sound).read_bytes()
    middle = data.index(times_s[100_000:100_010].tobytes())

    def serve(fails):
        def until_the_spikes(request):
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
            return fails(request) if wanted and int(wanted[1]) <= middle <= int(wanted[2]) else data

        server.answers["/a.nwb"] = until_the_spikes
        return f"{server.url}/a.nwb"

    return serve


def test_access_that_ends_while_reading(failing):
    """That is no damage of the file."""
    url = failing(lambda _: 403)
    assert refusal(url) == (
        f"{url} could not be read completely: the connection broke (the server answered 403 Forbidden). Try again, "
        "or download "
        "the file."
    )


def test_a_server_that_falls_silent_while_reading(failing, monkeypatch):
    patient = threading.Event()
    monkeypatch.setattr("nwb_neurid.readers.nwb.web.PATIENCE_S", 0.05)
    monkeypatch.setattr("remfile.RemFile.time.sleep", lambda _: None)
    url = failing(lambda _: 404 if patient.wait(20) else 503)
    message = refusal(url)
    patient.set()
    assert message.startswith(f"{url} could not be read completely: the connection broke (")
    assert message.endswith("). Try again, or download the file.")


@pytest.fixture
def quick(monkeypatch):
    """Waits for servers for less than a second."""
    for name, value in {"PATIENCE_S": 0.3, "WAITED_S": 1.0, "SLOWEST_BYTES_PER_S": 1e6}.items():
        monkeypatch.setattr(f"nwb_neurid.readers.nwb.web.{name}", value)
    monkeypatch.setattr("remfile.RemFile.time.sleep", lambda _: None)


@pytest.mark.timeout(30)
def test_objects_of_h5py_in_the_garbage_lock_nothing(published, monkeypatch):
    """h5py holds its lock while a file is asked for bytes; whatever collects its objects then waits for that lock."""
    monkeypatch.setattr("nwb_neurid.readers.nwb.web.WAITED_S", 5.0)
    before = gc.get_threshold()
    gc.collect()
    with h5py.File(published) as file:
        gc.set_threshold(5000, 1, 1)
        try:
            for _ in range(100):
                cycle = [file["units"]]
                cycle.append(cycle)
            del cycle
            with h5py._objects.phil:
                assert len(web.Waiting().run(lambda: [[] for _ in range(20_000)])) == 20_000
        finally:
            gc.set_threshold(*before)
    assert gc.isenabled()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("hostile", "why"), servers.SECOND.items(), ids=[each.__name__ for each in servers.SECOND])
def test_a_server_that_is_hostile_while_reading_is_given_up(hostile, why):
    began = time.monotonic()
    with servers.serve(hostile) as server:
        message = refusal(server.url)
    assert time.monotonic() - began < 10
    assert message.startswith(f"{server.url} could not be read completely: the connection broke (")
    assert why in message
    assert {headers.get("Accept-Encoding") for _, headers in server.asked} == {"identity"}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("hostile", servers.FIRST, ids=[each.__name__ for each in servers.FIRST])
def test_a_server_that_is_hostile_at_once_is_given_up(hostile):
    began = time.monotonic()
    with servers.serve(hostile, at_once=True) as server:
        assert refusal(server.url).startswith(f"{server.url} cannot be read: 127.0.0.1:")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("size", servers.SIZES)
def test_a_size_that_is_none_is_refused(size):
    with servers.serve(size=size) as server:
        assert refusal(server.url) == (
            f"{server.url} cannot be read in parts: its server does not state its size. Download the file, and use "
            "the copy."
        )


def test_a_server_that_fails_now_and_then_is_asked_again(server, published, monkeypatch):
    """Failures count only one after another."""
    monkeypatch.setattr("remfile.RemFile.time.sleep", lambda _: None)
    data, count = published.read_bytes(), iter(range(100))
    server.answers["/recording.nwb"] = lambda _: 503 if next(count) in {1, 2, 3} else data
    assert_same(readers.read(f"{server.url}/recording.nwb"), readers.read(published))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("hostile", [servers.dripping_body, servers.endless_body, servers.compressed])
def test_an_archive_that_is_hostile_is_given_up(hostile, monkeypatch):
    with servers.serve(hostile) as server:
        monkeypatch.setattr(dandi, "API", server.url.removesuffix("/a.nwb"))
        assert refusal("dandi://000006/a.nwb").startswith("dandi://000006/a.nwb cannot be read: ")


@pytest.mark.parametrize(("library", "url"), [("remfile", "https://host/a.nwb"), ("boto3", "s3://lab/a.nwb")])
def test_a_library_that_is_missing(monkeypatch, library, url):
    monkeypatch.setitem(sys.modules, library, None)
    assert refusal(url).endswith(": pip install boto3 remfile requests")
    assert refusal(url).startswith(f"{url} is ")


def test_what_is_a_url():
    urls = ["https://host/a.nwb", "HTTP://host", "s3://bucket/key", "dandi://000006/a.nwb"]
    assert all(is_url(url) and PLUGIN.recognises(url) for url in urls)
    assert not PLUGIN.recognises("ftp://host/a.nwb")
    assert not any(is_url(path) for path in ("a.nwb", "/a/b.nwb", r"C:\a.nwb", "C:/a.nwb", "a://"[:2], Path("a"), 7))


def test_a_url_that_no_reader_knows():
    with pytest.raises(UnknownSource, match=r"No reader recognises ftp://host/a.nwb"):
        readers.read("ftp://host/a.nwb")


@pytest.mark.usefixtures("published")
def test_an_object_is_identified_by_its_content_where_the_server_marks_that(server):
    marks = {"/a.nwb": '"0123456789abcdef0123456789abcdef-3"', "/b.nwb": '"0123456789abcdef0123456789abcdef-3"'}
    marks |= {"/c.nwb": '"5f3e-1a2b"', "/d.nwb": '"5f3e-1a2b"'}

    def answer(request):
        request.answer(206, b"x", **{"Content-Range": "bytes 0-0/1000", "ETag": marks[request.path]})

    def serve(request):
        answer(request)
        raise ConnectionError

    server.answers |= dict.fromkeys(marks, serve)
    found = [identify(f"{server.url}{path}") for path in marks]
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_what_may_answer_later_is_told_from_what_is_refused(server):
    server.answers |= {"/busy.nwb": 503, "/mine.nwb": 403}
    assert isinstance(catch(f"{server.url}/busy.nwb"), SourceUnreachable)
    assert not isinstance(catch(f"{server.url}/mine.nwb"), SourceUnreachable)
    assert isinstance(catch("http://127.0.0.1:9/a.nwb"), SourceUnreachable)


def catch(url):
    with pytest.raises(UnreadableSource) as refused:
        identify(url)
    return refused.value
