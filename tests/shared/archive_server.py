"""A real HTTP server on the loopback interface that speaks the protocol of a DANDI archive.

Digests are computed here from the bytes that came, by their definitions, with no code of the
client: an ETag is the MD5 of the MD5s of the parts, a Zarr checksum that of a listing of folders.
"""

import base64
import hashlib
import json
import re
import threading
import time
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

KEY = "the-key-of-a-test"
SIGNATURE = "X-Amz-Signature=5ec4e7"
DANDISET = "000052"
PART_BYTES = 64 << 20
WHEN = "2026-01-01T00:00:00Z"


def etag_of(content):
    """The ETag that S3 gives to parts put together."""
    starts = range(0, max(len(content), 1), PART_BYTES)
    parts = [hashlib.md5(content[start : start + PART_BYTES]).digest() for start in starts]
    return f"{hashlib.md5(b''.join(parts)).hexdigest()}-{len(parts)}"


def zarr_checksum_of(entries):
    """The checksum of a Zarr folder from the contents of its files by path."""
    return _folder_digest({tuple(path.split("/")): body for path, body in entries.items()})[0]


def _folder_digest(entries):
    names = sorted({path[0] for path in entries})
    files, folders, count = [], [], 0
    for name in names:
        if (name,) in entries:
            body = entries[name,]
            digest, size, n = hashlib.md5(body).hexdigest(), len(body), 1
        else:
            inner = {path[1:]: body for path, body in entries.items() if path[0] == name}
            digest, size, n = _folder_digest(inner)
        (files if (name,) in entries else folders).append(
            {"digest": digest, "name": name, "size": size}
        )
        count += n
    total = sum(entry["size"] for entry in (*files, *folders))
    listing = json.dumps({"directories": folders, "files": files}, separators=(",", ":"))
    return f"{hashlib.md5(listing.encode()).hexdigest()}-{count}--{total}", total, count


class ArchiveServer(ThreadingHTTPServer):
    """What it holds, what came in, and what goes wrong.

    `faults` is a list of (method, pattern of the path, what happens), each used up by one request:
    a status, "cut" (the connection), "hang" (until `released`), or "wrong" (a digest).
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.assets, self.blobs, self.zarrs, self.uploads = {}, {}, {}, {}
        self.faults, self.requests, self.lock = [], [], threading.RLock()
        self.hang_s, self.delay_s = 5.0, 0.0
        self.rotten = False
        self.released = threading.Event()

    @property
    def api(self):
        return f"http://127.0.0.1:{self.server_port}/api"

    def puts(self):
        """Paths of the contents that were taken, in their order."""
        taken = [path for method, path, status in self.requests if (method, status) == ("PUT", 200)]
        return [path for path in taken if path.startswith("/s3/")]

    def asset(self, path):
        return next((a for a in self.assets.values() if a["metadata"]["path"] == path), None)

    def content(self, path):
        """Bytes of a file, or by path of a Zarr folder."""
        asset = self.asset(path)
        return self.blobs[asset["blob"]] if asset["blob"] else self.zarrs[asset["zarr"]]["files"]

    def digest(self, asset):
        if asset["blob"]:
            content = self.blobs[asset["blob"]]
            return {"dandi:dandi-etag": etag_of(b"rotten" if self.rotten else content)}
        return {"dandi:dandi-zarr-checksum": zarr_checksum_of(self.zarrs[asset["zarr"]]["files"])}

    def fault(self, method, path):
        with self.lock:
            for number, (wanted, pattern, happens) in enumerate(self.faults):
                if wanted == method and re.search(pattern, path):
                    del self.faults[number]
                    return happens
        return None

    def handle_error(self, request, client_address):
        """A client that was killed, or gave up, is expected."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do(self):
        split = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(split.query).items()}
        path = unquote(split.path).removeprefix("/api")
        length = int(self.headers["Content-Length"] or 0)
        self.body = self.rfile.read(length)
        if len(self.body) < length:
            self.close_connection = True
            return
        time.sleep(self.server.delay_s if self.command == "PUT" else 0)
        self.happens = self.server.fault(self.command, path)
        if self.happens == "hang":
            self.server.released.wait(self.server.hang_s)
        if self.happens == "cut":
            self.close_connection = True
            return
        if isinstance(self.happens, int):
            self.answer({"detail": "as asked for"}, self.happens)
            return
        for method, pattern, work in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method == self.command:
                with self.server.lock:
                    getattr(self, work)(*match.groups())
                return
        self.answer({"detail": "Not found."}, 404)

    do_GET = do_POST = do_PUT = do_DELETE = do

    def answer(self, reply=None, status=200, **headers):
        content = b"" if reply is None else reply if isinstance(reply, bytes) else _json(reply)
        self.server.requests.append((self.command, urlsplit(self.path).path, status))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def json(self):
        return json.loads(self.body)

    def info(self):
        version = {"schema_version": "0.7.0", "allowed_schema_versions": ["0.7.0"]}
        client = {"cli-minimal-version": "0.60.0", "cli-bad-versions": []}
        api = {"services": {"api": {"url": self.server.api}}, "version": "0.20.0"}
        self.answer({**version, **client, **api})

    def token(self):
        known = self.headers["Authorization"] == f"token {KEY}"
        self.answer(*([KEY] if known else [{"detail": "Invalid token."}, 401]))

    def dandiset(self, name):
        if name != DANDISET:
            self.answer({"detail": "Not found."}, 404)
            return
        draft = {"version": "draft", "name": "test", "asset_count": 0, "size": 0, "status": "Valid"}
        draft |= {"created": WHEN, "modified": WHEN}
        body = {"identifier": name, "created": WHEN, "modified": WHEN, "draft_version": draft}
        body["embargo_status"] = "OPEN"
        self.answer({**body, "contact_person": "", "most_recent_published_version": None})

    def list_assets(self):
        start = self.query.get("path", "")
        found = [self.described(key) for key in self.server.assets]
        self.paged([one for one in found if one["path"].startswith(start)])

    def paged(self, results):
        self.answer({"count": len(results), "next": None, "previous": None, "results": results})

    def described(self, key):
        asset = self.server.assets[key]
        zarr = asset["zarr"] and self.server.zarrs[asset["zarr"]]
        size = (
            sum(map(len, zarr["files"].values())) if zarr else len(self.server.blobs[asset["blob"]])
        )
        body = {"asset_id": key, "path": asset["metadata"]["path"], "size": size}
        return body | {
            "blob": asset["blob"],
            "zarr": asset["zarr"],
            "created": WHEN,
            "modified": WHEN,
        }

    def metadata(self, key):
        asset = self.server.assets[key]
        self.answer({**asset["metadata"], "digest": self.server.digest(asset)})

    def add_asset(self):
        if self.server.asset(self.json()["metadata"]["path"]):
            self.answer({"detail": "An asset with that path already exists."}, 409)
            return
        self.keep_asset()

    def replace_asset(self, key):
        del self.server.assets[key]
        self.keep_asset()

    def keep_asset(self):
        said, key = self.json(), str(uuid.uuid4())
        parts = {"blob": said.get("blob_id"), "zarr": said.get("zarr_id")}
        self.server.assets[key] = {"metadata": said["metadata"], **parts}
        self.answer(self.described(key))

    def initialize(self):
        said = self.json()
        etag, size = said["digest"]["value"], said["contentSize"]
        if etag in self.server.blobs:
            self.answer({"detail": "Blob already exists."}, 409, Location=etag)
            return
        sizes = [min(PART_BYTES, size - start) for start in range(0, max(size, 1), PART_BYTES)]
        key = str(uuid.uuid4())
        self.server.uploads[key] = {"etag": etag, "parts": {}}
        parts = [
            {"part_number": n, "size": part, "upload_url": self.signed(f"/s3/{key}/{n}")}
            for n, part in enumerate(sizes, 1)
        ]
        self.answer({"upload_id": key, "parts": parts})

    def signed(self, path):
        return f"{self.server.api.removesuffix('/api')}{quote(path)}?{SIGNATURE}"

    def put_part(self, key, number):
        self.server.uploads[key]["parts"][int(number)] = self.body
        wrong = b"wrong" if self.happens == "wrong" else b""
        self.answer(b"", ETag=f'"{hashlib.md5(self.body + wrong).hexdigest()}"')

    def complete(self, key):
        self.answer({"complete_url": self.signed(f"/s3/{key}/complete"), "body": "<Complete/>"})

    def put_together(self, key):
        parts = self.server.uploads[key]["parts"]
        content = b"".join(parts[number] for number in sorted(parts))
        self.server.blobs[etag_of(content)] = content
        self.answer(f'<Result><ETag>"{etag_of(content)}"</ETag></Result>'.encode())

    def validate(self, key):
        etag = self.server.uploads[key]["etag"]
        if etag not in self.server.blobs:
            self.answer({"detail": "ETag mismatch"}, 400)
            return
        self.answer({"blob_id": etag, "etag": etag, "size": len(self.server.blobs[etag])})

    def add_zarr(self):
        name = self.json()["name"]
        if any(zarr["name"] == name for zarr in self.server.zarrs.values()):
            self.answer(["Zarr already exists"], 400)
            return
        key = str(uuid.uuid4())
        self.server.zarrs[key] = {"name": name, "files": {}}
        self.answer({"zarr_id": key})

    def find_zarr(self):
        zarrs = self.server.zarrs.items()
        self.paged([{"zarr_id": k} for k, zarr in zarrs if zarr["name"] == self.query["name"]])

    def list_zarr(self, key):
        files = sorted(self.server.zarrs[key]["files"].items())
        self.paged(
            [
                {"Key": k, "LastModified": WHEN, "ETag": hashlib.md5(v).hexdigest(), "Size": len(v)}
                for k, v in files
            ]
        )

    def sign_zarr(self, key):
        self.answer([self.signed(f"/s3/zarr/{key}/{entry['path']}") for entry in self.json()])

    def put_entry(self, key, path):
        found = base64.b64encode(hashlib.md5(self.body).digest()).decode()
        if found != self.headers["Content-MD5"]:
            self.answer({"detail": "BadDigest"}, 400)
            return
        kept = b"wrong" + self.body if self.happens == "wrong" else self.body
        self.server.zarrs[key]["files"][path] = kept
        self.answer(b"", ETag=f'"{hashlib.md5(self.body).hexdigest()}"')

    def remove_entries(self, key):
        for entry in self.json():
            del self.server.zarrs[key]["files"][entry["path"]]
        self.answer(status=204)

    def finalize(self, key):
        self.answer(status=204)

    def zarr(self, key):
        checksum = zarr_checksum_of(self.server.zarrs[key]["files"])
        self.answer({"zarr_id": key, "status": "Complete", "checksum": checksum})

    def log_message(self, *_):
        """Say nothing."""


def _json(reply):
    return json.dumps(reply).encode()


DRAFT = f"/dandisets/{DANDISET}/versions/draft/assets/"
ROUTES = [
    ("GET", "/info/", "info"),
    ("GET", "/auth/token/?", "token"),
    ("GET", "/dandisets/([0-9]+)/", "dandiset"),
    ("GET", DRAFT, "list_assets"),
    ("POST", DRAFT, "add_asset"),
    ("GET", DRAFT + "([^/]+)/", "metadata"),
    ("PUT", DRAFT + "([^/]+)/", "replace_asset"),
    ("POST", "/uploads/initialize/", "initialize"),
    ("POST", "/uploads/([^/]+)/complete/", "complete"),
    ("POST", "/uploads/([^/]+)/validate/", "validate"),
    ("PUT", "/s3/zarr/([^/]+)/(.+)", "put_entry"),
    ("POST", "/s3/([^/]+)/complete", "put_together"),
    ("PUT", "/s3/([^/]+)/([0-9]+)", "put_part"),
    ("POST", "/zarr/", "add_zarr"),
    ("GET", "/zarr/", "find_zarr"),
    ("GET", "/zarr/([^/]+)/files/?", "list_zarr"),
    ("POST", "/zarr/([^/]+)/files/", "sign_zarr"),
    ("DELETE", "/zarr/([^/]+)/files/", "remove_entries"),
    ("POST", "/zarr/([^/]+)/finalize/", "finalize"),
    ("GET", "/zarr/([^/]+)/", "zarr"),
]


@contextmanager
def archive_server():
    """A server that runs while the block does."""
    server = ArchiveServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
