"""HTTP poll against servers that do each wrong thing: an outage, bounded, nothing taken."""

import asyncio
import gzip
import json

import pytest
from sources_rig import http, peer, poll, rig, run, scripted


async def _trickle(request, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(10_000):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _endless(request, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        await writer.drain()


async def _endless_challenge(request, writer):
    writer.write(b'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="x", nonce="y"\r\n\r\n')
    while not writer.is_closing():
        writer.write(b"x" * 65536)
        await writer.drain()


async def _cut(request, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    writer.close()


async def _cut_chunked(request, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{")
    writer.close()


def test_a_challenge_without_end_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setenv("FEED_PASSWORD", "p")

    async def scenario():
        auth = {"kind": "digest", "user": "u", "secret": "FEED_PASSWORD"}
        async with (
            peer(_endless_challenge) as server,
            rig(tmp_path, {"feed": poll(server.url, auth=auth)}) as hub,
        ):
            assert "connection failed" in await hub.state("feed", "down")

    run(scenario())


BOMB = gzip.compress(b"0" * 2**27)
WRONG = {
    "cut": (_cut, "connection failed"),
    "cut chunk": (_cut_chunked, "connection failed"),
    "trickle": (_trickle, "no whole answer in time"),
    "endless": (_endless, "more than 1000000 bytes"),
    "huge length": (
        scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n" + b"x" * 1_000_001),
        "more than 1000000 bytes",
    ),
    "bomb": (scripted(http(BOMB, headers={"Content-Encoding": "gzip"})), "swells"),
    "torn gzip": (
        scripted(http(gzip.compress(b"{}")[:-6], headers={"Content-Encoding": "gzip"})),
        "no whole gzip",
    ),
    "gzip that is none": (scripted(http(b"{}", headers={"Content-Encoding": "gzip"})), "gzip"),
    "other encoding": (scripted(http(b"{}", headers={"Content-Encoding": "br"})), "encoding"),
    "twice encoded": (scripted(http(b"{}", headers={"Content-Encoding": "gzip, gzip"})), "encod"),
    "redirect": (
        scripted(http(status="302 Found", headers={"Location": "http://127.0.0.1:1/"})),
        "moved",
    ),
    "credentials": (scripted(http(status="401 Unauthorized")), "refuses the credentials"),
    "broken": (scripted(http(status="500 Broken")), "answers 500"),
    "gone": (scripted(http(b"login", "404 Not Found")), "answers 404"),
    "part": (scripted(http(b"{", "206 Partial Content")), "answers 206"),
    "no http": (scripted(b"SSH-2.0-OpenSSH_9\r\n\r\n"), "connection failed"),
    "many headers": (
        scripted(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n"),
        "connection failed",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_is_an_outage_and_nothing_is_taken(tmp_path, name):
    answer, reason = WRONG[name]

    async def scenario():
        source = poll("", timeout_s=1) | {"limits": {"body_bytes": 1_000_000}}
        async with peer(answer) as server:
            source["transport"]["url"] = f"{server.url}/?token=abc"
            async with rig(tmp_path, {"feed": source}) as hub:
                said = await hub.state("feed", "down")
                assert reason in said
                assert "abc" not in said
                assert hub.durable() == []

    run(scenario())


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("http://169.254.169.254/latest", "another server"),
        ("//elsewhere.example/x", "another server"),
        ("file:///etc/passwd", "another server"),
        ("http://127.0.0.1:notaport/", "no address"),
        ("/x", "circle"),
        ("/x?again", "circle"),
    ],
)
def test_a_next_page_leads_nowhere_else(tmp_path, link, reason):
    async def scenario():
        answer = scripted(http(json.dumps({"next": link}).encode()))
        async with (
            peer(answer) as server,
            rig(tmp_path, {"feed": poll(server.url + "/x", next="/next")}) as hub,
        ):
            assert reason in await hub.state("feed", "down")
            assert {request.target for request in server.requests} <= {"/x", link}

    run(scenario())
