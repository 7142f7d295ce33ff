"""The register from an asset system's API: a server on this machine plays all its moods."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hub.cli import main
from hub.errors import ConfigError, EnvironmentNotReadyError, PayloadError
from hub.register_api import Api


def device(number, **more):
    return {
        "device_id": f"cam-{number}",
        "valid_from": "2025-07-01",
        "aliases": {"vms": f"CAM {number}"},
        **more,
    }


@dataclass
class Page:
    """What the server answers at one path."""

    body: object = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@contextmanager
def serving(pages: dict[str, Page]) -> Iterator[tuple[str, list]]:
    """An asset system; its URL, and the path and token of each request it gets."""
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("Authorization")))
            page = pages.get(self.path, Page(status=404))
            data = page.data()
            self.send_response(page.status)
            for name, value in page.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_args):
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def ids(found):
    return [each["device_id"] for each in found]


def test_a_list_of_entries_is_one_page():
    with serving({"/devices": Page([device(1), device(2)])}) as (url, asked):
        assert ids(Api(f"{url}/devices").read()) == ["cam-1", "cam-2"]
    assert asked == [("/devices", None)]


def test_pages_follow_the_link_header_or_the_field_next_and_the_token_goes_along():
    pages = {
        "/v1/devices": Page({"devices": [device(1)], "next": "/v1/devices?page=2"}),
        "/v1/devices?page=2": Page([device(2)], headers={"Link": '<?page=3>; rel="next"'}),
        "/v1/devices?page=3": Page({"devices": [device(3), device(1)], "next": None}),
    }
    with serving(pages) as (url, asked):
        assert ids(Api(f"{url}/v1/devices", "secret").read()) == ["cam-1", "cam-2", "cam-3"]
    assert asked == [(path, "Bearer secret") for path in pages]


def test_a_redirect_on_the_same_host_is_followed():
    moved = Page(status=308, headers={"Location": "/new"})
    with serving({"/old": moved, "/new": Page([device(1)])}) as (url, _):
        assert ids(Api(f"{url}/old").read()) == ["cam-1"]


@pytest.mark.parametrize(
    "page",
    [
        Page(status=302, headers={"Location": "http://localhost:1/devices"}),
        Page([device(1)], headers={"Link": '<http://localhost:1/devices>; rel="next"'}),
        Page({"devices": [device(1)], "next": "https://127.0.0.1/devices"}),
    ],
)
def test_another_host_never_gets_the_token(page):
    with (
        serving({"/devices": page}) as (url, _),
        pytest.raises(ConfigError, match="another host"),
    ):
        Api(f"{url}/devices", "secret").read()


@pytest.mark.parametrize(
    ("page", "error", "told"),
    [
        (Page(status=401), ConfigError, "does not let us in"),
        (Page(status=403), ConfigError, "--token-file"),
        (Page(status=404), ConfigError, "check the URL"),
        (Page(status=503), EnvironmentNotReadyError, "answered 503"),
        (Page(status=429), EnvironmentNotReadyError, "try again later"),
        (Page(b"<html>"), PayloadError, "no JSON"),
        (Page(b"[" * 100_000), PayloadError, "no JSON"),
        (Page(b'["\xff"]'), PayloadError, "no JSON"),
        (Page([]), PayloadError, "no device at all"),
        (Page({"cameras": []}), PayloadError, "no list of entries"),
        (Page([device(1, lat=200, lon=1)]), PayloadError, "not between"),
        (Page([device(1), device(2, aliases={"vms": "CAM 1"})]), PayloadError, "same time"),
        (Page({"devices": [device(1)], "next": 7}), PayloadError, "`next` is no text"),
        (Page({"devices": [device(1)], "next": "/devices"}), PayloadError, "in a circle"),
        (Page({"devices": [device(1)], "next": "/2"}), PayloadError, "on two pages, differently"),
        (Page(status=301, headers={"Location": "/devices"}), PayloadError, "redirects"),
        (
            Page(gzip.compress(b" " * 2_000_000), headers={"Content-Encoding": "gzip"}),
            PayloadError,
            "more than 1,000,000 bytes",
        ),
    ],
)
def test_whatever_goes_wrong_is_told_with_what_to_do(page, error, told):
    pages = {"/devices?key=hidden": page, "/devices": page, "/2": Page([device(1, name="other")])}
    with serving(pages) as (url, _), pytest.raises(error) as caught:
        Api(f"{url}/devices?key=hidden", bytes_max=1_000_000).read()
    assert told in str(caught.value)
    assert url in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_nobody_there_is_told_so():
    with serving({}) as (url, _):
        pass
    with pytest.raises(EnvironmentNotReadyError, match="no answer: ConnectError"):
        Api(f"{url}/devices").read()


def test_an_answer_that_drips_for_ever_is_given_up():
    ticks = iter(range(0, 10_000, 400))
    with (
        serving({"/devices": Page(b"[" + b" " * 3_000_000)}) as (url, _),
        pytest.raises(PayloadError, match="longer than 600 s"),
    ):
        Api(f"{url}/devices", clock=lambda: next(ticks)).read()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://assets.example/devices", "never sent unencrypted"),
        ("https://user:secret@assets.example/devices", "credentials in a URL"),
        ("https://", "no host"),
        ("https://user:secret@assets.example:port/", "no URL"),
    ],
)
def test_a_url_that_would_give_a_secret_away_is_refused(url, told):
    with pytest.raises(ConfigError) as caught:
        Api(url, "token").read()
    assert told in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_environment_s_proxies_do_not_get_the_token(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serving({"/devices": Page([device(1)])}) as (url, _):
        assert ids(Api(f"{url}/devices", "token").read()) == ["cam-1"]


def test_a_token_of_odd_letters_or_certificates_that_are_none_are_named(tmp_path):
    (tmp_path / "ca.pem").write_text("none")
    with pytest.raises(ConfigError, match="letters that no header can hold"):
        Api("https://127.0.0.1:1/", "tökẽn").read()
    with pytest.raises(ConfigError, match="no certificates"):
        Api("https://127.0.0.1:1/", ca=tmp_path / "ca.pem").read()


def test_the_command_reads_the_token_and_tells_what_is_wrong(capsys, tmp_path, monkeypatch):
    (tmp_path / "token").write_text("from a file\n")
    with serving({"/devices": Page(status=401)}) as (url, asked):
        monkeypatch.setenv("HUB_DEVICE_API_TOKEN", "from-the-environment")
        assert main(["device", "import", f"{url}/devices"]) == 2
        file = str(tmp_path / "token")
        assert main(["device", "import", f"{url}/devices", "--token-file", file]) == 2
    assert [token for _, token in asked] == ["Bearer from-the-environment", "Bearer from a file"]
    told = capsys.readouterr().err
    assert "does not let us in (401)" in told
    assert "from" not in told


@pytest.mark.parametrize(
    "words",
    [["--end", "2026-01-01"], ["--end-most"], ["--timeout", "0"], ["--complete", "--end", "soon"]],
)
def test_options_that_make_no_sense_are_refused(words, capsys):
    assert main(["device", "import", "http://127.0.0.1:1/", *words]) == 2
    assert words[0].removeprefix("--complete") in capsys.readouterr().err
