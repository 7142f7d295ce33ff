"""A changed configuration in processes that run: SIGHUP asks for it, each answers with a file.

`hub reload` signals the processes of a data folder and reads what they answer. What changes are
sources: their entries, and the secrets and certificates these name. A connector that was installed
since is found; a new version of one that is loaded already needs a restart. So does everything
else, which the answer says. A wrong configuration changes nothing.
"""

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from fcntl import LOCK_NB, LOCK_SH, LOCK_UN, flock
from pathlib import Path

from pydantic import ValidationError

from hub.config import Config, SourceConfig
from hub.connector import Connector, Options
from hub.discovery import look_again
from hub.errors import ConfigError, HubError

__all__ = ["ROLES", "Answer", "Changes", "Reload", "running", "source_options", "tell"]

_log = logging.getLogger("hub.reload")

# Those that read sources' entries; normalise first, so that it knows what ingest then lets in.
ROLES = ("normalise", "ingest")
_LOOK_S = 0.05
_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Changes:
    """What another configuration means: names of sources, and of settings that need a restart."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()

    @classmethod
    def between(cls, old: Config, new: Config, *, stale: Iterable[str] = ()) -> "Changes":
        """From one to the other; `stale` sources changed outside of it."""
        others = set(Config.model_fields) - {"source", "slot"}
        changed = {id_ for id_ in old.source if old.source[id_] != new.source.get(id_)}
        changed |= set(stale)
        return cls(
            added=tuple(sorted(set(new.source) - set(old.source))),
            changed=tuple(sorted(changed & set(new.source))),
            removed=tuple(sorted(set(old.source) - set(new.source))),
            restart=tuple(
                sorted(name for name in others if getattr(old, name) != getattr(new, name))
            ),
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What one process says to a reload; `error` is empty when it goes by the new configuration."""

    process: str
    error: str = ""
    changes: Changes = Changes()

    def write(self, data: Path) -> None:
        """Leave it for who asked."""
        path = _file(data, self.process)
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(self)), "utf-8")
        temporary.replace(path)
        if self.error:
            _log.error("the configuration stays as it was: %s", self.error)
        else:
            _log.info("sources: %s", asdict(self.changes))


class Reload:
    """For a process that works in batches: asked by a signal, done between two of them."""

    def __init__(self, config: Config, load: Callable[[], Config], process: str) -> None:
        self.config = config
        """The one in force."""
        self._load = load
        self._process = process
        self._asked = threading.Event()

    def ask(self) -> None:
        """Take the configuration anew when there is time."""
        self._asked.set()

    def poll(self, take: Callable[[Config], None]) -> None:
        """Do so now, if it was asked for; `take` raises `ConfigError` for what it can't go by."""
        if not self._asked.is_set():
            return
        self._asked.clear()
        try:
            look_again()
            new = self._load()
            take(new)
        except HubError as error:
            answer = Answer(self._process, error=str(error))
        else:
            answer = Answer(self._process, changes=Changes.between(self.config, new))
            self.config = new
        answer.write(self.config.data)


def source_options(connector: Connector, source_id: str, source: SourceConfig | None) -> Options:
    """A connector's options as a source's entry gives them; `ConfigError` names the wrong one."""
    try:
        return connector.options(**(source.connector_options() if source else {}))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ConfigError(
            first["msg"],
            where=f"source.{source_id}.options.{'.'.join(map(str, first['loc']))}",
            fix="correct hub.toml, then replay the dead letters",
        ) from error


def running(data: Path) -> dict[str, int]:
    """Process ids of those in this data folder that read sources' entries, in order of telling."""
    found: dict[str, int] = {}
    for role in ROLES:
        for file in sorted((data / "slots").glob(f"{role}*")):
            pid = _owner(file)
            if pid is not None:
                found[file.name] = pid
    return found


def tell(data: Path, process: str, pid: int, *, within_s: float) -> Answer | None:
    """Ask one process, and wait for its answer; None when none comes in that time."""
    _file(data, process).unlink(missing_ok=True)
    deadline, ask_at = time.monotonic() + within_s, 0.0
    while time.monotonic() < deadline:
        if time.monotonic() >= ask_at:
            # Again, as a process that has just begun does not listen yet.
            os.kill(pid, signal.SIGHUP)
            ask_at = time.monotonic() + _AGAIN_S
        try:
            found = json.loads(_file(data, process).read_bytes())
        except FileNotFoundError:
            time.sleep(_LOOK_S)
            continue
        changes = Changes(**{name: tuple(ids) for name, ids in found["changes"].items()})
        return Answer(found["process"], found["error"], changes)
    return None


def _file(data: Path, process: str) -> Path:
    return data / "reload" / f"{process}.json"


def _owner(file: Path) -> int | None:
    """The process that holds a slot; None when nobody does."""
    with file.open("rb") as opened:
        try:
            flock(opened, LOCK_SH | LOCK_NB)
        except OSError:
            text = opened.read(20).decode("ascii", "replace").strip()
            return int(text) if text.isdecimal() else None
        flock(opened, LOCK_UN)
    return None
