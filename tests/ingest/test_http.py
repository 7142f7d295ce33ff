# more than 400 lines: every way a request can be wrong, in one place
"""The HTTP front: durable before it answers, closed to everybody else, bounded in every way."""

import gzip
import hashlib
import json
import logging
import socket
import uuid

import pytest
from ingest_support import KEY, handle, logged, make_config, post, push_source, sha

from hub import metrics
from hub.errors import ConfigError, EnvironmentNotReadyError
from hub.evidence import EvidenceStore
from hub.ingest.protocol import Connection
from hub.metrics import StageMetrics

HEARD = "hub_source_last_payload_timestamp_seconds"
PATH_SECRET = "c2VjcmV0LXBhdGg"
HEAD = b"POST /v1/ingest/s1 HTTP/1.1\r\nHost: x\r\n"
SOURCES = {
    "s1": push_source(limits={"per_second": 1e6, "burst": 10**6, "body_bytes": 300_000}),
    "s2": {**push_source(), "auth": {"bearer_sha256": [sha("the key of s2"), sha("the next")]}},
    "path": {"connector": "plain_test", "auth": {"path_sha256": [sha(PATH_SECRET)]}},
    "far": {
        "connector": "plain_test",
        "auth": {"path_sha256": [sha(PATH_SECRET)], "allow": ["10.99.0.0/16"]},
    },
    "near": {
        "connector": "plain_test",
        "auth": {"path_sha256": [sha(PATH_SECRET)], "allow": ["10.99.0.0/16", "127.0.0.1/32"]},
    },
    "closed": {"connector": "plain_test"},
    "blank": {
        "connector": "plain_test",
        "auth": {"bearer_sha256": [sha("")], "path_sha256": [sha("")]},
    },
    "army": push_source(purpose="defence"),
    "slow": push_source(limits={"per_second": 0.1, "burst": 2}),
    "sharded": push_source("sharded_test"),
    "by_header": push_source(shard="header:X-Camera"),
    "by_peer": push_source(shard="peer"),
    "snapshots": push_source(snapshot=True),
}


@pytest.fixture(scope="module")
def ingest(tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    with handle(make_config(data, SOURCES)) as running:
        running.data = data
        yield running


@pytest.fixture
def own(tmp_path):
    """An ingest of the test's own: what it took can be read after it stopped."""

    def take(*posts, sources=SOURCES, **config):
        with handle(make_config(tmp_path, sources, **config)) as running:
            return [post(running.port, *args, **kwargs) for args, kwargs in posts]

    return take


def headers_of(record) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}


def raw(port: int, data: bytes, timeout: float = 10) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(data)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
        return b"".join(parts)


def test_an_accepted_payload_is_in_the_log_as_received(own, tmp_path):
    body = b'{ "speed" : 1.50 }\r\n\x00'
    (answer,) = own(
        (
            ("/v1/ingest/s1", body),
            {"headers": {"User-Agent": "camera/1", "Cookie": "no", "X-Request-Id": "r1"}},
        )
    )
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json["ack"] == "local"
    (record,) = logged(tmp_path)
    assert (record.topic, record.key, record.value) == ("raw.plain_test.v1", b"s1", body)
    headers = headers_of(record)
    assert headers.pop("received_at").endswith("Z")
    assert headers == {
        "source_id": "s1",
        "payload_id": answer.json["payload_id"],
        "content_type": "application/json",
        "sha256": hashlib.sha256(body).hexdigest(),
        "transport": "http_push",
        "meta.header.user-agent": "camera/1",
        "meta.header.x-request-id": "r1",
    }
    assert uuid.UUID(answer.json["payload_id"]).version == 7


def test_headers_that_a_connector_reads_are_kept_and_no_others(own, tmp_path):
    headers = {"Survision-Serial-Number": "SV-HN-0042", "Survision-Password": "no", "Cookie": "no"}
    sources = {"s1": push_source("survision"), "s2": push_source()}
    own(
        *((("/v1/ingest/" + name, b"{}"), {"headers": headers}) for name in sources),
        sources=sources,
    )
    kept = [
        {name: text for name, text in headers_of(each).items() if "survision-" in name}
        for each in logged(tmp_path)
    ]
    assert kept == [{"meta.header.survision-serial-number": "SV-HN-0042"}, {}]


def test_what_a_payload_means_is_never_judged(ingest):
    for body in (b"", b"\xff\xfe garbage", b"[" * 200_000):
        assert post(ingest.port, "/v1/ingest/s1", body).status == 200


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/v1/ingest/s1", None),
        ("/v1/ingest/s1", ""),
        ("/v1/ingest/s1", "wrong"),
        ("/v1/ingest/s1", "the key of s2"),
        ("/v1/ingest/s2", KEY),
        ("/v1/ingest/closed", KEY),
        ("/v1/ingest/closed", ""),
        ("/v1/ingest/blank", ""),
        ("/v1/ingest/blank", None),
        ("/v1/ingest/blank/", None),
        ("/v1/ingest/unknown", KEY),
        ("/v1/ingest/path", KEY),
        ("/v1/ingest/path", PATH_SECRET),
        (f"/v1/ingest/s1/{KEY}", None),
        ("/v1/ingest/path/wrong", None),
        (f"/v1/ingest/far/{PATH_SECRET}", None),
        (f"/v1/ingest/unknown/{PATH_SECRET}", KEY),
        (f"/v1/ingest/path/{PATH_SECRET}/more", None),
        ("/v1/ingest/", KEY),
        ("/v1/ingest/..%2f..%2fetc%2fpasswd", KEY),
        ("/v1/ingest/s1%00", KEY),
        ("/v1/ingest/s1%0d%0aX: y", KEY),
        ("/v1/ingest/" + "a" * 3000, KEY),
    ],
)
def test_every_failed_authentication_is_answered_alike(ingest, path, key):
    path = path.replace(" ", "%20")
    answer = post(ingest.port, path, b"body", key=key)
    usual = post(ingest.port, "/v1/ingest/s1", b"body", key="wrong")
    assert answer.status == 401
    assert answer.body == usual.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert set(answer.headers) == set(usual.headers)


def test_other_schemes_than_bearer_are_refused(ingest):
    for text in (f"Basic {KEY}", KEY, f"BearerX {KEY}"):
        assert (
            post(ingest.port, "/v1/ingest/s1", key=None, headers={"Authorization": text}).status
            == 401
        )


def test_both_keys_are_valid_while_they_are_rotated(ingest):
    for key in ("the key of s2", "the next"):
        assert post(ingest.port, "/v1/ingest/s2", key=key).status == 200


def test_a_path_secret_is_taken_from_its_networks(ingest):
    for source in ("path", "near"):
        assert post(ingest.port, f"/v1/ingest/{source}/{PATH_SECRET}", key=None).status == 200


def test_no_secret_is_ever_said(own, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    answers = own(
        ((f"/v1/ingest/path/{PATH_SECRET}",), {"key": None}),
        ((f"/v1/ingest/far/{PATH_SECRET}",), {"key": None}),
        (("/v1/ingest/s1", b"x" * 300_001), {}),
        (("/v1/ingest/s1",), {"headers": {"Content-Encoding": "br"}}),
        (("/metrics",), {"method": "GET"}),
    )
    said = caplog.text.encode() + b"".join(answer.body for answer in answers)
    for secret in (PATH_SECRET, KEY, sha(KEY), sha(PATH_SECRET)):
        assert secret.encode() not in said
    (record,) = logged(tmp_path)
    assert PATH_SECRET.encode() not in b"".join(value for _, value in record.headers)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(ingest, chunked):
    body = iter([b"x" * 100_000] * 4) if chunked else b"x" * 300_001
    headers = {"Transfer-Encoding": "chunked"} if chunked else {}
    answer = post(ingest.port, "/v1/ingest/s1", body, headers=headers, encode_chunked=chunked)
    assert answer.status == 413
    assert answer.json["type"] == "urn:hub:problem:too-large"
    assert metrics.value("hub_records_dropped_total", reason="too-large", source_id="s1") >= 1


def test_a_chunked_body_is_taken(own, tmp_path):
    (answer,) = own(
        (
            ("/v1/ingest/s1", iter([b"a" * 10, b"b" * 20])),
            {"headers": {"Transfer-Encoding": "chunked"}, "encode_chunked": True},
        )
    )
    assert answer.status == 200
    assert logged(tmp_path)[0].value == b"a" * 10 + b"b" * 20


def test_gzip_is_kept_as_received_and_named(own, tmp_path):
    body = gzip.compress(b"{}" * 500)
    (answer,) = own((("/v1/ingest/s1", body), {"headers": {"Content-Encoding": "gzip"}}))
    assert answer.status == 200
    (record,) = logged(tmp_path)
    assert record.value == body
    assert headers_of(record)["meta.header.content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (lambda: gzip.compress(b"\0" * 200 * 2**20, compresslevel=9), 413),
        (lambda: gzip.compress(b"\0" * 2 * 2**20), 413),
        (lambda: gzip.compress(b"x" * 100)[:-9], 400),
        (lambda: b"no gzip at all", 400),
        (lambda: gzip.compress(b"a") + gzip.compress(b"b"), 200),
    ],
    ids=["a bomb", "too much", "cut off", "no gzip", "two members"],
)
def test_gzip_is_inflated_within_bounds_only(ingest, body, status):
    headers = {"Content-Encoding": "gzip"}
    assert post(ingest.port, "/v1/ingest/s1", body(), headers=headers).status == status


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "br, gzip, gzip", "zstd"])
def test_other_encodings_are_refused(ingest, encoding):
    answer = post(ingest.port, "/v1/ingest/s1", headers={"Content-Encoding": encoding})
    assert answer.status == 415
    assert answer.json["status"] == 415


def test_a_source_above_its_rate_waits_and_others_do_not(ingest):
    statuses = [post(ingest.port, "/v1/ingest/slow") for _ in range(3)]
    assert [answer.status for answer in statuses] == [200, 200, 429]
    assert 5 <= int(statuses[2].headers["retry-after"]) <= 30
    assert post(ingest.port, "/v1/ingest/s1").status == 200


def test_a_full_log_answers_503_and_is_not_ready(tmp_path):
    config = make_config(tmp_path, SOURCES, log_max_bytes=2**20, log_segment_bytes=2**16)
    with handle(config) as running:
        while (answer := post(running.port, "/v1/ingest/s1", b"x" * 50_000)).status == 200:
            pass
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json["type"] == "urn:hub:problem:log-full"
        ready = post(running.port, "/readyz", None, key=None, method="GET")
        assert ready.status == 503
        assert ready.json["log_bytes"]["bulk"] > 0
        assert post(running.port, "/healthz", None, key=None, method="GET").status == 200
        # The urgent lane has a log of its own.
        assert post(running.port, "/v1/ingest/sharded", b"a|b").status == 200


def test_bodies_in_memory_are_bounded(tmp_path):
    config = make_config(tmp_path, {"s1": push_source()}, inflight_bytes=2**20)
    with handle(config) as running:
        answer = post(running.port, "/v1/ingest/s1", b"x" * (2**20 + 1))
        assert answer.status == 503
        assert answer.json["type"] == "urn:hub:problem:busy"
        assert post(running.port, "/v1/ingest/s1", b"x" * 2**19).status == 200


def test_large_and_multipart_bodies_are_in_the_evidence_store(own, tmp_path):
    large, parts = b"x" * 70_000, b"--b\r\n\r\nsmall\r\n--b--"
    answers = own(
        (("/v1/ingest/s1", large), {}),
        (
            ("/v1/ingest/s1", parts),
            {"headers": {"Content-Type": "Multipart/form-data; boundary=b"}},
        ),
    )
    assert [answer.status for answer in answers] == [200, 200]
    store = EvidenceStore.open(str(tmp_path / "evidence"))
    for record, body in zip(logged(tmp_path), (large, parts), strict=True):
        headers = headers_of(record)
        assert record.value == b""
        assert headers["body"] == f"sha256:{headers['sha256']}"
        assert store.get(headers["body"]) == body


def test_a_lost_evidence_store_is_no_acknowledgement(own, tmp_path, caplog):
    config = make_config(tmp_path, SOURCES)
    with handle(config) as running:
        (tmp_path / "evidence").rmdir()
        (tmp_path / "evidence").write_bytes(b"")
        assert post(running.port, "/v1/ingest/s1", b"x" * 70_000).status == 503
        assert post(running.port, "/v1/ingest/s1", b"small").status == 200


def test_keys_follow_the_shard(own, tmp_path):
    own(
        (("/v1/ingest/by_header",), {"headers": {"X-Camera": "gate/7 Đ"[:6]}}),
        (("/v1/ingest/by_header",), {}),
        (("/v1/ingest/by_peer",), {}),
        (("/v1/ingest/sharded", b"x|lane 3"), {}),
        (("/v1/ingest/sharded", b"no shard in it"), {}),
    )
    assert [record.key for record in logged(tmp_path)] == [
        b"by_header/gate%2F7",
        b"by_header",
        b"by_peer/127.0.0.1",
    ]
    urgent = logged(tmp_path, lane="urgent")
    assert [record.key for record in urgent] == [b"sharded/lane%203", b"sharded"]
    assert {record.topic for record in urgent} == {"raw.sharded_test.urgent.v1"}


def test_a_snapshot_source_says_that_each_payload_is_whole(own, tmp_path):
    (answer,) = own((("/v1/ingest/snapshots",), {}))
    headers = headers_of(logged(tmp_path)[0])
    assert headers["snapshot"] == answer.json["payload_id"]
    assert (headers["page"], headers["complete"]) == ("1", "true")


def test_replicated_falls_back_to_local_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("hub.ingest.durable.Durable.__init__.__kwdefaults__", {"replicated_s": 0.2})
    config = make_config(tmp_path, {"s1": push_source(ack="replicated")})
    with handle(config) as running:
        assert post(running.port, "/v1/ingest/s1").json["ack"] == "local"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/ingest/s1", 405),
        ("PUT", "/v1/ingest/s1", 405),
        ("POST", "/healthz", 405),
        ("GET", "/", 404),
        ("GET", "/v1/ingest", 404),
        ("GET", "/docs/../healthz", 404),
    ],
)
def test_other_pages_and_methods_are_problems(ingest, method, path, status):
    answer = post(ingest.port, path, method=method)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json) == {"type", "title", "status", "detail"}


@pytest.mark.parametrize(
    "request_head",
    [
        b"NONSENSE\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        HEAD + b"A: <secret>\r\n" * 10_000 + b"\r\n",
        HEAD + b"A: <secret>" + b"b" * 20_000 + b"\r\n\r\n",
        b"POST /<secret>" + b"b" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_broken_and_oversized_requests_are_refused_without_an_echo(ingest, request_head):
    answer = raw(ingest.port, request_head)
    assert answer.split(b" ", 2)[1] in {b"400", b"431"}
    assert b"application/problem+json" in answer
    assert b"secret" not in answer
    assert post(ingest.port, "/v1/ingest/s1").status == 200


def test_a_boundary_of_seventy_kilobytes_is_refused(ingest):
    headers = {"Content-Type": "multipart/mixed; boundary=" + "b" * 70_000}
    assert post(ingest.port, "/v1/ingest/s1", headers=headers).status in {400, 431}


def test_fifty_thousand_parts_are_one_payload_that_ingest_does_not_take_apart(own, tmp_path):
    body = b"--b\r\n\r\n\r\n" * 50_000 + b"--b--"
    headers = {"Content-Type": "multipart/mixed; boundary=b"}
    (answer,) = own((("/v1/ingest/s2", body), {"headers": headers, "key": "the next"}))
    assert answer.status == 200
    (record,) = logged(tmp_path)
    assert dict(record.headers)["body"] == f"sha256:{hashlib.sha256(body).hexdigest()}".encode()


def test_gzip_in_gzip_is_inflated_once_and_kept(own, tmp_path):
    body = gzip.compress(gzip.compress(b"{}"))
    (answer,) = own((("/v1/ingest/s1", body), {"headers": {"Content-Encoding": "gzip"}}))
    assert answer.status == 200
    assert logged(tmp_path)[0].value == body


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_header_that_names_another_method_changes_nothing(ingest, header):
    answer = post(ingest.port, "/v1/ingest/s1", headers={header: "POST"}, method="PUT")
    assert answer.status == 405
    answer = post(ingest.port, "/v1/ingest/s1", headers={header: "DELETE"})
    assert answer.status == 200


def test_http_1_0_without_a_host_is_answered_and_the_connection_ends(ingest):
    head = (
        f"POST /v1/ingest/s1 HTTP/1.0\r\nAuthorization: Bearer {KEY}\r\n"
        "Content-Length: 2\r\n\r\n{}"
    )
    assert raw(ingest.port, head.encode()).split(b" ", 2)[1] == b"200"
    assert post(ingest.port, "/v1/ingest/s1").status == 200


def test_headers_above_sixteen_kilobytes_together_are_refused(ingest):
    headers = {f"X-{number}": "v" * 4000 for number in range(5)}
    assert post(ingest.port, "/v1/ingest/s1", headers=headers).status == 431


def test_a_broken_chunk_is_refused(ingest):
    head = (
        f"POST /v1/ingest/s1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
        "Transfer-Encoding: chunked\r\n\r\nzz\r\nbody\r\n0\r\n\r\n"
    )
    assert raw(ingest.port, head.encode()).split(b" ", 2)[1] == b"400"


def test_slow_headers_end_the_connection(ingest, monkeypatch):
    monkeypatch.setattr(Connection, "headers_s", 0.2)
    assert raw(ingest.port, b"POST /v1/ingest/s1 HTTP/1.1\r\nHo") == b""
    assert raw(ingest.port, b"") == b""


def test_a_slow_body_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("hub.ingest.server.BODY_S", 0.2)
    with handle(make_config(tmp_path, SOURCES)) as running:
        head = (
            f"POST /v1/ingest/s1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            "Content-Length: 100\r\n\r\nonly a part"
        )
        assert raw(running.port, head.encode()).split(b" ", 2)[1] == b"408"
    assert logged(tmp_path) == []


def test_a_client_that_leaves_harms_nobody(ingest):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", ingest.port)) as connection:
            connection.sendall(
                f"POST /v1/ingest/s1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
                "Content-Length: 100000\r\n\r\npart".encode()
            )
    assert post(ingest.port, "/v1/ingest/s1").status == 200


def test_expect_continue_is_answered_once_the_source_is_known(ingest):
    def head(key: str) -> bytes:
        return (
            f"POST /v1/ingest/s1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
            "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        ).encode()

    with socket.create_connection(("127.0.0.1", ingest.port), timeout=10) as connection:
        connection.sendall(head(KEY))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    with socket.create_connection(("127.0.0.1", ingest.port), timeout=10) as connection:
        connection.sendall(head("wrong"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_one_connection_carries_many_payloads(own, tmp_path):
    with handle(make_config(tmp_path, SOURCES)) as running:
        one = (
            f"POST /v1/ingest/s1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            "Content-Length: 2\r\n\r\n{}"
        )
        last = one.replace("Host: x", "Host: x\r\nConnection: close")
        answers = raw(running.port, (one * 49 + last).encode())
        assert answers.count(b"HTTP/1.1 200 ") == 50
    assert len(logged(tmp_path)) == 50


def test_ready_lists_what_is_away(ingest):
    ready = post(ingest.port, "/readyz", None, key=None, method="GET")
    assert ready.status == 200
    assert ready.json["kafka"]["bulk"] != "reachable"
    assert set(ready.json["log_bytes"]) == {"urgent", "bulk"}
    assert "registry" in ready.json


def test_metrics_count_what_was_taken_and_refused(ingest):
    before = metrics.value("hub_records_in_total", source_id="s2")
    post(ingest.port, "/v1/ingest/s2", key="the next")
    assert metrics.value("hub_records_in_total", source_id="s2") == before + 1
    assert metrics.value("hub_source_last_payload_timestamp_seconds", source_id="s2") > 0
    page = post(ingest.port, "/metrics", None, key=None, method="GET")
    assert b'hub_ingest_log_bytes{lane="bulk"}' in page.body


def test_an_unknown_source_never_becomes_a_label(ingest):
    post(ingest.port, "/v1/ingest/made-up-name", key=KEY)
    page = post(ingest.port, "/metrics", None, key=None, method="GET")
    assert b"made-up-name" not in page.body


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"auth": {"bearer_sha256": ["not a hash"]}}, "not a SHA-256"),
        ({"auth": {"allow": ["10.0.0.1/8/9"]}}, "not a network"),
        ({"shard": "mqtt_topic"}, "shard"),
        ({"connector": "no_such_connector"}, "no connector"),
    ],
)
def test_a_wrong_source_is_refused_at_the_start(tmp_path, source, message):
    config = make_config(tmp_path, {"s1": {"connector": "plain_test", **source}})
    with pytest.raises(ConfigError, match=message) as caught:
        handle(config).start()
    assert "not a hash" not in str(caught.value)


def test_a_port_in_use_is_named(ingest, tmp_path):
    with pytest.raises(EnvironmentNotReadyError, match=str(ingest.port)):
        handle(make_config(tmp_path, SOURCES, port=ingest.port)).start()


def test_answers_are_json_without_a_trace_of_the_server(ingest):
    answer = post(ingest.port, "/v1/ingest/s1", key="wrong")
    assert json.loads(answer.body)["title"] == "Unauthorized"
    assert answer.headers["server"] == "hub"


def test_nothing_is_taken_from_a_source_of_defence_and_the_answer_does_not_say_why(
    own, tmp_path, caplog
):
    caplog.set_level(logging.DEBUG)
    before = metrics.value("hub_records_dropped_total", reason="not-taken", source_id="army")
    refused, stranger, nobody = own(
        (("/v1/ingest/army", b"29A-123.45"), {}),
        (("/v1/ingest/army", b"29A-123.45"), {"key": "wrong"}),
        (("/v1/ingest/nobody", b"29A-123.45"), {}),
    )
    assert (refused.status, refused.json["type"]) == (403, "urn:hub:problem:not-taken")
    assert refused.json["detail"] == "This hub takes nothing from this source."
    # Who has not its key can't tell it from a source that is not there.
    assert (stranger.status, stranger.body) == (nobody.status, nobody.body) == (401, nobody.body)
    said = caplog.text.encode() + refused.body
    assert b"defence" not in said
    assert b"29A-123.45" not in said
    counted = metrics.value("hub_records_dropped_total", reason="not-taken", source_id="army")
    assert counted == before + 1
    assert logged(tmp_path) == []


@pytest.mark.parametrize(
    "body",
    [b'{"Active": "keepAlive"}', b"Heartbeat", b"<EventNotificationAlert/>", b"\xff rubbish", b""],
)
def test_any_payload_of_a_pushed_source_feeds_its_watchdog(ingest, body):
    StageMetrics("ingest", "bulk").source_heard("s1", 1.0)
    assert post(ingest.port, "/v1/ingest/s1", body).status == 200
    assert metrics.value(HEARD, source_id="s1") > 1.0


def test_what_is_refused_at_the_door_feeds_no_watchdog(ingest):
    StageMetrics("ingest", "bulk").source_heard("s1", 1.0)
    assert post(ingest.port, "/v1/ingest/s1", key=f"not {KEY}").status == 401
    assert metrics.value(HEARD, source_id="s1") == 1.0
