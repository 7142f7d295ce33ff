import sys

import pytest

from hub import Connector
from hub.discovery import connector, connector_at, connector_names, connectors, look_again
from hub.errors import ConfigError


def test_every_module_of_the_package_is_a_connector_of_its_name():
    found = connectors()
    assert sorted(found) == connector_names()
    assert {"cap", "hikvision_isapi"} <= set(found)
    for name, each in found.items():
        assert isinstance(each, Connector)
        assert each.name == name


def test_shared_format_code_is_no_connector():
    assert not any(name.startswith("_") for name in connector_names())


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(ConfigError, match="no connector is named 'hikvison'") as caught:
        connector("hikvison")
    assert "hikvision_isapi" in caught.value.fix


MODULE = """
from hub import Connector

connector = Connector(name="{name}", title="t", parse=print, emits=(), identity={{}})
"""


def install(folder, name, *, module=""):
    """A package of its own, as pip leaves it."""
    (folder / f"{name}.py").write_text(module or MODULE.format(name=name))
    (info := folder / f"{name}-1.dist-info").mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[hub.connectors]\n{name} = {name}:connector\n")


@pytest.fixture
def site_packages(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    look_again()
    yield tmp_path
    monkeypatch.undo()
    look_again()
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)
    connector.cache_clear()


def test_what_is_installed_meanwhile_is_found_when_it_is_looked_for_again(site_packages):
    assert "late_gates" not in connector_names()
    install(site_packages, "late_gates")
    assert "late_gates" not in connector_names()
    look_again()
    assert connector("late_gates").name == "late_gates"


def test_an_entry_point_of_another_name_than_its_connector_says_both(site_packages):
    install(site_packages, "gates_one", module=MODULE.format(name="gates_two"))
    look_again()
    with pytest.raises(ConfigError, match="gates_one:connector is named 'gates_two'") as caught:
        connector("gates_one")
    assert caught.value.fix == "name the entry point gates_two, or the connector 'gates_one'"


def test_a_file_of_another_name_than_its_connector_says_both(tmp_path):
    (tmp_path / "bad.py").write_text(MODULE.format(name="parkendd"))
    with pytest.raises(ConfigError, match=r"bad.py is named 'parkendd'") as caught:
        connector_at(tmp_path / "bad.py")
    assert caught.value.fix == "name the file parkendd.py, or the connector 'bad'"
    (tmp_path / "none.py").write_text("")
    with pytest.raises(ConfigError, match="has no `connector` named 'none'"):
        connector_at(tmp_path / "none.py")
