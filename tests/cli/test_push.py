import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hub.cli import main


class Ingest(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, dict(self.headers), body))
        status, answer = self.server.answers.pop(0)
        data = json.dumps(answer).encode()
        self.send_response(status)
        if status in (429, 503):
            self.send_header("Retry-After", "7")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments):
        return


@pytest.fixture
def ingest():
    with ThreadingHTTPServer(("127.0.0.1", 0), Ingest) as server:
        server.seen, server.answers = [], []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def payload(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HUB_PUSH_KEY", raising=False)
    path = tmp_path / "event.xml"
    path.write_bytes(b"<a/>")
    return str(path)


def test_payloads_go_with_key_and_type_and_their_ids_are_printed(
    ingest, payload, monkeypatch, capsys
):
    monkeypatch.setenv("HUB_PUSH_KEY", "k1")
    ingest.answers = [(200, {"payload_id": "p-1"}), (200, {"payload_id": "p-2"})]
    assert main(["push", "kim-ma", payload, payload, "--url", ingest.url]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["p-1", "p-2"]
    path, headers, body = ingest.seen[0]
    assert (path, body) == ("/v1/ingest/kim-ma", b"<a/>")
    assert headers["Authorization"] == "Bearer k1"
    assert headers["Content-Type"] == "application/xml"


def test_a_secret_path_is_used_without_a_header(ingest, payload, capsys):
    ingest.answers = [(200, {"payload_id": "p-1"})]
    words = ["push", "a", payload, "--url", ingest.url, "--secret", "s3cret", "--json"]
    assert main(words) == 0
    path, headers, _ = ingest.seen[0]
    assert path == "/v1/ingest/a/s3cret"
    assert "Authorization" not in headers
    assert json.loads(capsys.readouterr().out)["payload_id"] == "p-1"


@pytest.mark.parametrize(
    ("status", "code_and_text"),
    [
        (401, (2, "--key or HUB_PUSH_KEY")),
        (401, (2, "where its entry has `path_sha256`, --secret from a network in `allow`")),
        (401, (2, "after a change of hub.toml: `hub reload`")),
        (413, (1, "limits.body_bytes")),
        (429, (1, "again after 7 s")),
        (503, (1, "again after 7 s")),
        (500, (1, "hub doctor")),
    ],
)
def test_a_refusal_is_explained(ingest, payload, capsys, status, code_and_text):
    code, what = code_and_text
    ingest.answers = [(status, {"title": "Refused", "detail": "said why"})]
    assert main(["push", "a", payload, "--url", ingest.url, "--key", "hush"]) == code
    err = capsys.readouterr().err
    assert f"{status} said why" in err
    assert what in err
    assert "hush" not in err


def test_an_ingest_that_is_away_is_exit_code_3_and_no_secret_is_shown(payload, capsys):
    words = ["push", "a", payload, "--url", "http://127.0.0.1:1", "--secret", "hush"]
    assert main(words) == 3
    err = capsys.readouterr().err
    assert "does not answer" in err
    assert "hush" not in err


def test_a_missing_file_sends_nothing(ingest, payload, capsys):
    assert main(["push", "a", payload, "none.xml", "--url", ingest.url]) == 2
    assert ingest.seen == []
    assert "none.xml" in capsys.readouterr().err
