"""Basic and digest authentication against a server that is not ours: lighttpd."""

import contextlib
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from sources_rig import alert, http, part, peer, poll, rig, run, scripted, stream, streaming, until

LIGHTTPD = shutil.which("lighttpd") or shutil.which("lighttpd", path="/usr/sbin")
pytestmark = pytest.mark.skipif(LIGHTTPD is None, reason="lighttpd is not installed")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextlib.contextmanager
def lighttpd(folder: Path, method: str, *, behind: int, algorithm: str = "MD5"):
    """lighttpd that lets none but `hub` through to another server; its port and access log."""
    port = free_port()
    folder.mkdir()
    (folder / "users").write_text("hub:right password\n")
    settings = f"""
server.modules = ("mod_auth", "mod_authn_file", "mod_accesslog", "mod_proxy")
server.document-root = "{folder}"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{folder}/error.log"
accesslog.filename = "{folder}/access.log"
accesslog.format = "%s %r"
server.stream-response-body = 2
auth.backend = "plain"
auth.backend.plain.userfile = "{folder}/users"
auth.require = ("/" => ("method" => "{method}", "realm" => "camera", "require" => "valid-user",
                        "algorithm" => "{algorithm}"))
proxy.server = ("" => (("host" => "127.0.0.1", "port" => {behind})))
"""
    (folder / "lighttpd.conf").write_text(settings)
    process = subprocess.Popen([LIGHTTPD, "-D", "-f", str(folder / "lighttpd.conf")])
    try:
        while process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
        assert process.poll() is None, (folder / "error.log").read_text()
        yield port, folder / "access.log"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(autouse=True)
def _secrets(monkeypatch):
    monkeypatch.setenv("RIGHT", "right password")
    monkeypatch.setenv("WRONG", "wrong password")


def auth(kind: str, secret: str = "RIGHT") -> dict:
    return {"kind": kind, "user": "hub", "secret": secret}


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("basic", "MD5"), ("digest", "MD5"), ("digest", "SHA-256")]
)
def test_a_poll_proves_who_it_is_and_foresees_the_challenge(tmp_path, kind, algorithm):
    async def scenario():
        fresh = http(b'{"speed": 1}', headers={"ETag": '"1"'})
        async with peer(scripted(fresh, http(status="304 Not Modified"))) as camera:
            with lighttpd(tmp_path / "web", kind, algorithm=algorithm, behind=camera.port) as (
                port,
                log,
            ):
                url = f"http://127.0.0.1:{port}/feed.json"
                async with rig(tmp_path, {"feed": poll(url, auth=auth(kind))}) as hub:
                    (record,) = await hub.records(1)
                    assert record.value == b'{"speed": 1}'
                    await until(lambda: len(camera.requests) > 3)
        answers = [line.split()[0] for line in log.read_text().splitlines()]
        assert answers.count("200") == 1
        assert answers.count("304") >= 3
        assert answers.count("401") == (kind == "digest")

    run(scenario())


@pytest.mark.parametrize("kind", ["basic", "digest"])
def test_a_wrong_password_is_said_and_does_not_appear_anywhere(tmp_path, kind, caplog):
    async def scenario():
        with lighttpd(tmp_path / "web", kind, behind=1) as (port, _):
            url = f"http://127.0.0.1:{port}/feed.json"
            async with rig(tmp_path, {"feed": poll(url, auth=auth(kind, "WRONG"))}) as hub:
                assert await hub.state("feed", "down") == "it refuses the credentials (401)"
                assert hub.durable() == []

    run(scenario())
    assert "wrong password" not in caplog.text


def test_a_stream_behind_digest_is_read_on_the_connection_of_the_challenge(tmp_path):
    async def scenario():
        async with peer(streaming(part(alert(1)), 0.3, part(alert(2)))) as recorder:
            with lighttpd(tmp_path / "web", "digest", behind=recorder.port) as (port, _):
                url = f"http://127.0.0.1:{port}/ISAPI/Event/notification/alertStream"
                async with rig(tmp_path, {"nvr": stream(url, auth=auth("digest"))}) as hub:
                    records = await hub.records(2)
                    assert [record.value for record in records] == [alert(1), alert(2)]
                    await until(lambda: hub.sources.report()["nvr"]["state"] == "up")
            assert len(recorder.requests) == 1

    run(scenario())
