"""`hub reload`: a source changes, others do not notice, a wrong configuration changes nothing."""

import asyncio
import json
import signal

import pytest
from hub_process import Hub, polled
from ingest_support import KEY, post, sha
from sources_rig import Request, http, peer, run, until

from hub.config import load

PUSHED = '\n[source.pushed]\nconnector = "spat"\n[source.pushed.auth]\nbearer_sha256 = ["{}"]\n'
WRONG_ENTRIES = {
    "no TOML": "[source.",
    "unknown key": '[source.x]\nconnector = "cap"\nspeed = 3\n',
    "no such connector": '[source.x]\nconnector = "cup"\n',
    "no such option": '[source.x]\nconnector = "cap"\noptions = { size = 3 }\n',
    "no secret": '[source.x]\nconnector = "cap"\n[source.x.transport]\nkind = "http_poll"\n'
    'url = "http://127.0.0.1:1/"\nauth = { kind = "bearer", secret = "NOT_SET" }\n',
}


class Feeds:
    """Counts requests by path; connections by the path of their first request."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.connections: dict[str, set[int]] = {}

    async def answer(self, request: Request, writer) -> None:
        self.seen.append(request)
        self.connections.setdefault(request.target, set()).add(id(writer))
        writer.write(http(request.target.encode()))

    def count(self, path: str) -> int:
        return sum(request.target == path for request in self.seen)


def test_a_changed_entry_is_taken_and_the_others_keep_their_connections(tmp_path):
    async def scenario():
        hub, feeds = Hub(tmp_path), Feeds()
        async with peer(feeds.answer) as server:
            url = server.url
            before = polled("a", url + "/a") + polled("b", url + "/b") + polled("d", url + "/d")
            async with hub.running(before):
                await until(lambda: all(feeds.count(path) > 2 for path in ("/a", "/b", "/d")))
                since = (await asyncio.to_thread(hub.states))["a"]["since"]
                hub.write(
                    polled("a", url + "/a") + polled("b", url + "/b2") + polled("c", url + "/c")
                )
                code, out, err = await hub.called("reload")
                assert (code, err) == (0, "")
                assert out == "ingest.one: added c; changed b; removed d\n"
                gone, asked = feeds.count("/b") + feeds.count("/d"), feeds.count("/a")
                await until(lambda: feeds.count("/b2") > 2 and feeds.count("/c") > 2)
                assert feeds.count("/b") + feeds.count("/d") == gone
                assert feeds.count("/a") > asked
                assert len(feeds.connections["/a"]) == 1
                states = await asyncio.to_thread(hub.states)
                assert {"a", "b", "c"} == set(states)
                assert states["a"]["since"] == since
                code, out, err = await hub.called("reload", "--json")
                assert json.loads(out)["changes"] == {
                    "added": [],
                    "changed": [],
                    "removed": [],
                    "restart": [],
                }

    run(scenario())


@pytest.mark.parametrize("name", WRONG_ENTRIES)
def test_a_wrong_configuration_changes_nothing_and_is_explained(tmp_path, name):
    async def scenario():
        hub, feeds = Hub(tmp_path), Feeds()
        async with peer(feeds.answer) as server:
            entry = polled("a", server.url + "/a")
            async with hub.running(entry):
                await until(lambda: feeds.count("/a") > 2)
                hub.write(polled("b", server.url + "/b") + WRONG_ENTRIES[name])
                code, out, err = await hub.called("reload")
                assert code == 2
                assert "source.x" in out + err or str(hub.file) in err
                assert "To mend it" in out + err
                asked = feeds.count("/a")
                await until(lambda: feeds.count("/a") > asked + 2)
                assert feeds.count("/b") == 0
                assert set(await asyncio.to_thread(hub.states)) == {"a"}

    run(scenario())


def test_a_wrong_file_met_by_a_bare_signal_is_kept_out_too(tmp_path):
    async def scenario():
        hub, feeds = Hub(tmp_path), Feeds()
        async with (
            peer(feeds.answer) as server,
            hub.running(polled("a", server.url + "/a")) as process,
        ):
            await until(lambda: feeds.count("/a") > 2)
            hub.file.write_text("[source.")
            answer = tmp_path / "data/reload/ingest.one.json"
            process.send_signal(signal.SIGHUP)
            await until(answer.exists)
            assert "not TOML" in json.loads(answer.read_text())["error"]
            asked = feeds.count("/a")
            await until(lambda: feeds.count("/a") > asked + 2)

    run(scenario())


def test_a_new_key_of_a_pushed_source_is_taken(tmp_path):
    async def scenario():
        hub = Hub(tmp_path)
        async with hub.running(PUSHED.format(sha("the old key"))):
            before = await asyncio.to_thread(post, hub.port, "/v1/ingest/pushed")
            hub.write(PUSHED.format(sha(KEY)))
            assert (await hub.called("reload"))[0] == 0
            after = await asyncio.to_thread(post, hub.port, "/v1/ingest/pushed")
            assert (before.status, after.status) == (401, 200)

    run(scenario())


def test_a_secret_that_was_replaced_changes_the_sources_that_name_it(tmp_path):
    async def scenario():
        hub, feeds = Hub(tmp_path), Feeds()
        (hub.secrets / "TOKEN").write_text("old")
        async with peer(feeds.answer) as server:
            auth = 'auth = { kind = "bearer", secret = "TOKEN" }'
            entries = polled("a", server.url + "/a", auth) + polled("b", server.url + "/b")
            async with hub.running(entries):
                await until(lambda: feeds.count("/a") > 1)
                (hub.secrets / "TOKEN").write_text("new")
                assert (await hub.called("reload"))[1] == "ingest.one: changed a\n"
                asked = feeds.count("/a")
                await until(lambda: feeds.count("/a") > asked)
                last = [request for request in feeds.seen if request.target == "/a"][-1]
                assert last.headers["authorization"] == "Bearer new"

    run(scenario())


def test_what_needs_a_restart_is_said(tmp_path):
    async def scenario():
        hub = Hub(tmp_path)
        async with hub.running(""):
            hub.write("[stage]\nbatch_records = 77\n")
            code, out, _ = await hub.called("reload")
            assert (code, out) == (
                0,
                "ingest.one: nothing to change (needs a restart: stage)\n",
            )

    run(scenario())


def test_without_a_process_it_says_where_it_looked(tmp_path):
    async def scenario():
        hub = Hub(tmp_path)
        hub.write("")
        code, _, err = await hub.called("reload")
        assert code == 3
        assert "no ingest or normalise runs here" in err

    run(scenario())
    assert load(tmp_path / "hub.toml", {}).slot == "one"


def test_a_site_takes_the_sources_of_the_file_that_people_edit(tmp_path):
    async def scenario():
        hub = Hub(tmp_path)
        hub.file = tmp_path / "data" / "hub.toml"
        hub.file.parent.mkdir()
        edited, elsewhere = tmp_path / "sources.toml", tmp_path / "hub.toml"
        async with hub.running(""):
            before = hub.file.read_text()
            edited.write_text('[source.late]\nconnector = "cup"\n')
            code, _, err = await hub.called("reload", "--sources", str(edited))
            assert (code, hub.file.read_text()) == (2, before)
            assert "'cup'" in err

            edited.write_text('[source.late]\nconnector = "cap"\n[ingest]\nport = 1\n')
            code, out, err = await hub.called("reload", "--sources", str(edited))
            assert (code, out, err) == (0, "ingest.one: added late\n", "")
            assert str(edited) in hub.file.read_text().splitlines()[1]
            assert load(hub.file, {}).ingest.port == hub.port

            elsewhere.write_text(before)
            hub.file = elsewhere
            code, _, err = await hub.called("reload", "--sources", str(edited))
            assert (code, elsewhere.read_text()) == (2, before)
            assert "not the configuration of a site of `hub up`" in err

    run(scenario())
