"""Stands in front of the schema registry, and can be away, slow, in trouble or wrong."""

import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

__all__ = ["Mood", "RegistryFront"]

Mood = Literal["well", "away", "in trouble", "slow", "a page of somebody else's", "wrong schema"]
SLOW_S = 12.0
# The proxies of the machine are not asked for what is on the machine.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class RegistryFront:
    """An HTTP server that passes on what it is asked, unless its mood is another."""

    def __init__(self, registry_url: str) -> None:
        self.mood: Mood = "well"
        self.asked = 0
        parts = urllib.parse.urlsplit(registry_url)
        self._target = f"{parts.scheme}://{parts.netloc}"
        front = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                front._answer(self)

            do_POST = do_PUT = do_GET  # noqa: N815 - names the library looks for

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{parts.path}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @contextmanager
    def being(self, mood: Mood) -> Iterator[None]:
        """Another mood while the block runs."""
        self.mood = mood
        try:
            yield
        finally:
            self.mood = "well"

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked += 1
        mood = self.mood
        if mood == "away":
            handler.close_connection = True
            return
        if mood == "in trouble":
            self._send(handler, 500, b'{"error_code": 50001, "message": "try again"}')
            return
        if mood == "a page of somebody else's":
            self._send(handler, 200, b"<html>Sign in to this network</html>", "text/html")
            return
        if mood == "slow":
            time.sleep(SLOW_S)
        status, body = self._ask(handler)
        if mood == "wrong schema" and status == 200:
            body = self._another(body)
        self._send(handler, status, body)

    def _ask(self, handler: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        length = int(handler.headers.get("Content-Length") or 0)
        request = urllib.request.Request(
            self._target + handler.path,
            data=handler.rfile.read(length) if length else None,
            headers={"Content-Type": handler.headers.get("Content-Type") or "application/json"},
            method=handler.command,
        )
        try:
            with _direct.open(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError:
            return 503, b"{}"

    @staticmethod
    def _another(body: bytes) -> bytes:
        """The same answer with a schema of something else."""
        answer = json.loads(body)
        if isinstance(answer, dict) and "schema" in answer:
            fields = [{"name": "nothing", "type": "string"}]
            wrong = {"type": "record", "name": "Other", "fields": fields}
            answer["schema"] = json.dumps(wrong)
        return json.dumps(answer).encode()

    @staticmethod
    def _send(
        handler: BaseHTTPRequestHandler, status: int, body: bytes, kind: str = "application/json"
    ) -> None:
        try:
            handler.send_response(status)
            handler.send_header("Content-Type", kind)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            # Who asked has gone: a slow answer is often too late.
            handler.close_connection = True
