import pytest

from hub import Connector
from hub.discovery import connector, connector_names, connectors
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
