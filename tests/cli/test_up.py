"""What `hub up` takes from its configuration, and what it writes for the other commands."""

import socket
from pathlib import Path
from types import SimpleNamespace

from hub.cli.stack import _site
from hub.config import load
from hub.site import Site

ENTRY = '[source.{}]\nconnector = "cap"\n'


def configured(site: Site) -> Site:
    """The site's configuration as it would be with a stack that runs."""
    site.data.mkdir(exist_ok=True)
    site.stack = SimpleNamespace(registry_url="http://127.0.0.1:1/", bootstrap="127.0.0.1:1")
    site._configure()
    return site


def test_the_sites_configuration_says_who_wrote_it_and_which_file_to_edit(tmp_path):
    entry = {"connector": "cap"}
    site = configured(Site(tmp_path, sources={"a": entry}, origin=Path("/a\nb.toml")))
    assert site.config_file.read_text("utf-8").startswith(
        "# Written by `hub up`; edits are lost at its next start. Sources are those of\n"
        '# "/a\\nb.toml": edit that file, then `hub reload --sources` it.\n'
    )
    assert set(load(site.config_file, {}).source) == {"a"}


def test_payloads_are_taken_at_the_same_port_after_a_restart(tmp_path):
    made = configured(Site(tmp_path))
    first = made.config.ingest.port
    assert configured(Site(tmp_path)).config.ingest.port == first
    made.config_file.write_text(f"edited [\nport = {first}\n")
    assert configured(Site(tmp_path)).config.ingest.port == first
    with socket.socket() as other:
        other.bind(("127.0.0.1", first))
        assert configured(Site(tmp_path)).config.ingest.port != first


def test_a_port_that_is_asked_for_wins(tmp_path):
    assert configured(Site(tmp_path, port_base=21_000)).config.ingest.port == 21_010
    site = configured(Site(tmp_path, port_base=21_000, ingest_port=38_999))
    assert site.ingest_url == "http://127.0.0.1:38999"


def test_up_takes_sources_and_port_and_says_what_it_does_not_take(tmp_path, monkeypatch, capsys):
    file = tmp_path / "sources.toml"
    more = '[ingest]\nport = 38999\nhost = "0.0.0.0"\n[retention]\nhtmoc = 7\n'
    file.write_text(ENTRY.format("a") + more)
    site = configured(_site(file, tmp_path / "data", None))
    assert site.ingest_url == "http://127.0.0.1:38999"
    assert set(site.config.source) == {"a"}
    assert str(file) in site.config_file.read_text("utf-8").splitlines()[1]
    assert "as the site has its own: ingest.host, retention\n" in capsys.readouterr().out
    # The stages see this variable too.
    monkeypatch.setenv("HUB_INGEST_PORT", "38998")
    assert _site(file, tmp_path / "data", None).ingest_port == 38_998
