"""A real HTTP server on the loopback interface that speaks webhooks and Slack's Web API."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


class Loopback(ThreadingHTTPServer):
    """What came in, and what goes wrong: `faults` are used up, one per request.

    A fault is a status, "hang", or the name of an error in Slack's words.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.faults = []
        self.hang_s = 3.0
        self.delay_s = 0.0
        self.requests = []
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/"

    def came_to(self, path):
        with self.lock:
            return [request for request in self.requests if request["path"] == path]

    def events(self):
        return [json.loads(request["body"]) for request in self.came_to("/hook")]

    def handle_error(self, request, client_address):
        """A client that gave up on a hanging reply is expected."""


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        with self.server.lock:
            fault = self.server.faults.pop(0) if self.server.faults else None
            if fault is None:
                kept = {"path": self.path, "headers": dict(self.headers), "body": body}
                self.server.requests.append(kept)
        time.sleep(self.server.delay_s)
        if fault == "hang":
            time.sleep(self.server.hang_s)
        if isinstance(fault, int):
            self.answer({"ok": False, "error": "internal_error"}, fault)
        else:
            self.answer({"ok": False, "error": fault} if fault else self.reply())

    def reply(self):
        if self.path == "/files.getUploadURLExternal":
            return {"ok": True, "upload_url": f"{self.server.url}upload", "file_id": "F1"}
        if self.path == "/files.completeUploadExternal":
            return {"ok": True, "files": [{"id": "F1", "title": "t"}]}
        return {"ok": True, "ts": "1.0", "channel": "C1"}

    def answer(self, reply, status=200):
        content = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if status in {301, 302}:
            self.send_header("Location", f"{self.server.url}elsewhere")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST

    def log_message(self, *_):
        """Say nothing."""


def form(request):
    """Return the fields of a form that the Slack library sent."""
    text = request["body"].decode()
    if request["headers"].get("Content-Type", "").startswith("application/json"):
        return json.loads(text)
    return {key: values[0] for key, values in parse_qs(text).items()}


@contextmanager
def loopback():
    """A server that runs while the block does."""
    server = Loopback()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
