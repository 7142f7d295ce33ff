"""Finds connectors by name: a module in `connectors/`, or an entry point `hub.connectors`.

Nothing registers itself on import; a module is found because it is there, and has a `connector`.
"""

import importlib
import importlib.metadata
import importlib.util
import pkgutil
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from hub.connector import Connector, Options
from hub.errors import ConfigError

__all__ = [
    "connector",
    "connector_at",
    "connector_names",
    "connectors",
    "look_again",
    "named",
    "options_of",
]

_PACKAGE = "connectors"
_GROUP = "hub.connectors"


class _Installed(NamedTuple):
    modules: frozenset[str]
    entry_points: Mapping[str, importlib.metadata.EntryPoint]


@cache
def _installed() -> _Installed:
    package = importlib.import_module(_PACKAGE)
    modules = (each.name for each in pkgutil.iter_modules(package.__path__))
    points = importlib.metadata.entry_points(group=_GROUP)
    return _Installed(
        frozenset(name for name in modules if not name.startswith("_")),
        {point.name: point for point in points},
    )


def _modules() -> frozenset[str]:
    return _installed().modules


def _entry_points() -> Mapping[str, importlib.metadata.EntryPoint]:
    return _installed().entry_points


def look_again() -> None:
    """Find also what was installed since; what was imported stays as it was until a restart."""
    importlib.invalidate_caches()
    _installed.cache_clear()


def connector_names() -> list[str]:
    """Names of all connectors, sorted; nothing is imported."""
    return sorted(_modules() | set(_entry_points()))


@cache
def connector(name: str) -> Connector:
    """The connector of that name; `ConfigError` when there is none or it is not one."""
    if name in _modules():
        where, found_by = f"{_PACKAGE}.{name}", "the module"
        found = getattr(importlib.import_module(where), "connector", None)
    elif name in _entry_points():
        where, found_by = _entry_points()[name].value, "the entry point"
        found = _entry_points()[name].load()
    else:
        raise ConfigError(
            f"no connector is named {name!r}",
            where="connector",
            fix=f"use one of {', '.join(connector_names())}",
        )
    return _checked(found, name, where, found_by)


def connectors() -> dict[str, Connector]:
    """All connectors by name."""
    return {name: connector(name) for name in connector_names()}


def named(text: str) -> Connector:
    """The connector of that name, or in the module at that path: one not yet installed."""
    return connector_at(Path(text)) if text.endswith(".py") else connector(text)


def connector_at(path: Path) -> Connector:
    """The connector in a module that is named like it, wherever the module stands."""
    name, where = path.stem, path.resolve()
    if not where.is_file():
        raise ConfigError("no such module", where=str(path), fix="name an existing .py file")
    spec = importlib.util.spec_from_file_location(name, where)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # What stands beside it can be imported, as if it were installed.
    sys.path.insert(0, str(where.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(
            f"it can't be imported: {type(error).__name__}: {error}",
            where=str(path),
            fix="correct the module",
        ) from error
    finally:
        sys.path.remove(str(where.parent))
    return _checked(getattr(module, "connector", None), name, str(path), "the file", ".py")


def _checked(found: Any, name: str, where: str, found_by: str, suffix: str = "") -> Connector:
    if not isinstance(found, Connector):
        raise ConfigError(
            f"{where} has no `connector` named {name!r}",
            where="connector",
            fix="end the module with `connector = Connector(name=…, …)`",
        )
    if found.name != name:
        raise ConfigError(
            f"the connector in {where} is named {found.name!r}",
            where="connector",
            fix=f"name {found_by} {found.name}{suffix}, or the connector {name!r}",
        )
    return found


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
