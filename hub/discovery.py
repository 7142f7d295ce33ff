"""Finds connectors by name: a module in `connectors/`, or an entry point `hub.connectors`.

Nothing registers itself on import; a module is found because it is there, and has a `connector`.
"""

import importlib
import importlib.metadata
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError

from hub.connector import Connector, Options
from hub.errors import ConfigError

__all__ = ["connector", "connector_names", "connectors", "options_of"]

_PACKAGE = "connectors"
_GROUP = "hub.connectors"


@cache
def _modules() -> frozenset[str]:
    package = importlib.import_module(_PACKAGE)
    return frozenset(
        module.name
        for module in pkgutil.iter_modules(package.__path__)
        if not module.name.startswith("_")
    )


@cache
def _entry_points() -> Mapping[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=_GROUP)}


def connector_names() -> list[str]:
    """Names of all connectors, sorted; nothing is imported."""
    return sorted(_modules() | set(_entry_points()))


@cache
def connector(name: str) -> Connector:
    """The connector of that name; `ConfigError` when there is none or it is not one."""
    if name in _modules():
        where = f"{_PACKAGE}.{name}"
        found = getattr(importlib.import_module(where), "connector", None)
    elif name in _entry_points():
        where = _entry_points()[name].value
        found = _entry_points()[name].load()
    else:
        raise ConfigError(
            f"no connector is named {name!r}",
            where="connector",
            fix=f"use one of {', '.join(connector_names())}",
        )
    if not isinstance(found, Connector) or found.name != name:
        raise ConfigError(
            f"{where} has no `connector` named {name!r}",
            where="connector",
            fix="end the module with `connector = Connector(name=…, …)`",
        )
    return found


def connectors() -> dict[str, Connector]:
    """All connectors by name."""
    return {name: connector(name) for name in connector_names()}


def options_of(connector: Connector, values: Mapping[str, Any], *, where: str) -> Options:
    """The connector's options; `ConfigError` names the valid keys."""
    known = sorted(connector.options.model_fields)
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(
            f"connector {connector.name} has no option {unknown[0]!r}",
            where=where,
            fix=f"use one of {', '.join(known)}",
        )
    try:
        return connector.options.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        text = first["msg"].removeprefix("Value error, ")
        raise ConfigError(text, where=f"{where} {key}", fix="correct this value") from error
