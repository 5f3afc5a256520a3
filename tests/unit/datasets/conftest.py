"""A server on this machine that answers like the DANDI archive."""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

DANDISET, VERSION = "000017", "0.240329.1926"
TIME = "2024-03-29T19:26:00+00:00"
BLOBS = "/blobs/"


class Answers(BaseHTTPRequestHandler):
    """Lists assets in pages, redirects from an asset to its bytes, and gives parts of them."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        address = urlsplit(self.path)
        self.server.asked.append((address.path, self.headers.get("Range")))
        if (status := self.server.fails.get(address.path)) is not None:
            return self.send(status, b"no")
        if address.path.startswith(BLOBS):
            return self.send_blob(address.path.removeprefix(BLOBS))
        if match := re.fullmatch(r"/api/(?:dandisets/.*/)?assets/([^/]*)/download/", address.path):
            return self.send(302, b"", Location=f"{self.server.url}{BLOBS}{match[1]}")
        found = self.find(address.path, parse_qs(address.query))
        return self.send(404, b"{}") if found is None else self.send(200, json.dumps(found).encode())

    def find(self, path, query):
        version = {
            "version": VERSION,
            "name": "recordings",
            "asset_count": len(self.server.blobs),
            "size": 1,
            "status": "Valid",
            "created": TIME,
            "modified": TIME,
        }
        dandiset = {
            "identifier": DANDISET,
            "created": TIME,
            "modified": TIME,
            "contact_person": "A. Person",
            "embargo_status": "OPEN",
            "most_recent_published_version": version,
            "draft_version": version,
        }
        where = f"/api/dandisets/{DANDISET}/versions/{VERSION}"
        if path == "/api/info/":
            return self.server.info
        if path == f"/api/dandisets/{DANDISET}/":
            return dandiset
        if path in {f"{where}/", f"{where}/info/"}:
            return {**version, "dandiset": dandiset, "metadata": {}}
        if path == f"{where}/assets/":
            return self.list_assets(int(query.get("page", ["1"])[0]), where)
        for asset_id, (name, data) in self.server.blobs.items():
            if path in {f"{where}/assets/{asset_id}/info/", f"/api/assets/{asset_id}/info/"}:
                return {**self.describe(asset_id, name, data), "metadata": self.measure(name, data)}
            if path in {f"{where}/assets/{asset_id}/", f"/api/assets/{asset_id}/"}:
                return self.measure(name, data)
        return None

    def list_assets(self, page, where):
        listed = [self.describe(key, *value) for key, value in self.server.blobs.items()]
        size = self.server.page_size
        more = page * size < len(listed)
        following = f"{self.server.url}{where}/assets/?page={page + 1}" if more else None
        results = listed[(page - 1) * size : page * size]
        return {"count": len(listed), "next": following, "previous": None, "results": results}

    def describe(self, asset_id, name, data):
        return {
            "asset_id": asset_id,
            "blob": asset_id,
            "zarr": None,
            "path": name,
            "size": len(data),
            "created": TIME,
            "modified": TIME,
        }

    def measure(self, name, data):
        from dandischema.digests.dandietag import ETagHashlike

        etag = ETagHashlike(len(data))
        etag.update(self.server.claimed.get(name, data))
        sha256 = hashlib.sha256(self.server.claimed.get(name, data)).hexdigest()
        digest = {"dandi:dandi-etag": etag.hexdigest(), "dandi:sha2-256": sha256}
        return {"path": name, "contentSize": len(data), "digest": digest, "blobDateModified": TIME, "contentUrl": []}

    def send_blob(self, asset_id):
        data = self.server.blobs[asset_id][1]
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(wanted[1]) if wanted else 0
        part = data[first:]
        breaks = self.server.breaks.get(asset_id, 0)
        self.server.breaks[asset_id] = max(breaks - 1, 0)
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(part)))
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if breaks:
            self.wfile.write(part[: len(part) // 2])
            self.close_connection = True
        else:
            self.wfile.write(part)

    def send(self, status, body, **headers):
        self.send_response(status)
        about = {"Content-Length": len(body), "Content-Type": "application/json", **headers}
        for name, value in about.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    """The archive: `blobs` are paths and bytes by the id of the asset; `fails` and `breaks` say what goes wrong."""
    pytest.importorskip("dandi.download", reason="fetching needs nwb-neurid[dandi]")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as serving:
        serving.daemon_threads = True
        serving.url = f"http://127.0.0.1:{serving.server_port}"
        serving.blobs, serving.asked, serving.fails = {}, [], {}
        serving.breaks, serving.claimed, serving.page_size = {}, {}, 100
        service = {"version": "1.0", "url": serving.url}
        serving.info = {
            "schema_version": "0.6.10",
            "version": "0.12.0",
            "cli-minimal-version": "0.51.0",
            "cli-bad-versions": [],
            "services": {
                "api": {"url": f"{serving.url}/api"},
                "webui": {"url": serving.url},
                "jupyterhub": {"url": serving.url},
                **dict.fromkeys(["webdav"], service),
            },
        }
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture
def archive(server, monkeypatch):
    """The archive with three recordings and what is none, in pages of two; nothing waits before it tries again."""
    monkeypatch.setattr("nwb_neurid.datasets.archive.API", f"{server.url}/api")
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("dandi.dandiapi.REQUEST_RETRIES", 2)
    names = ["sub-B/sub-B_ses-1.nwb", "sub-A/sub-A_ses-1.nwb", "sub-A/sub-A_ses-2.nwb", "readme.txt"]
    server.page_size = 2
    server.blobs = {
        f"0a1b2c3d-0000-4000-8000-00000000000{at}": (name, name.encode() * 20_000) for at, name in enumerate(names)
    }
    return server
