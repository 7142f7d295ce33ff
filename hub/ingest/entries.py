"""The sources that ingest takes payloads from, and what becomes of them when their entries change.

Everything that a new configuration asks for is made and checked first; only then does anything
change, and what did not change does not notice.
"""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from hub.config import Config
from hub.ingest.auth import Door
from hub.ingest.drop import DropFolder
from hub.ingest.intake import Intake, Source
from hub.ingest.server import Front
from hub.ingest.sources.runner import Sources, check
from hub.ingest.sources.stamp import stamp_of
from hub.ingest.sources.task import SourceTask
from hub.reloading import Changes, source_options

__all__ = ["Entries"]


class Entries:
    """The sources of the configuration in force."""

    def __init__(self, config: Config, intake: Intake, *, sources: Sources) -> None:
        self._config = config
        self._intake = intake
        self._sources = sources
        self._stamps = {id_: stamp_of(source) for id_, source in intake.sources.items()}
        self._folders = _folders(intake, intake.sources.values())
        self._prepared = sources.prepare(intake.sources.values())

    def start(self) -> None:
        """Begin to watch folders and to go to sources."""
        for folder in self._folders.values():
            folder.start()
        self._sources.start(self._prepared)
        self._prepared = {}

    async def stop(self) -> None:
        """End all of that."""
        await self._sources.stop()
        await _stopped(self._folders.values())

    async def take(self, config: Config, front: Front) -> Changes:
        """Go by another configuration's sources; `ConfigError` when it can't be, with no change."""
        new = self._checked(config)
        door = Door(config.source)
        changes = new.changes
        gone = {*changes.changed, *changes.removed}
        await self._sources.end(gone)
        await _stopped(self._folders.pop(id_) for id_ in gone & set(self._folders))
        for id_ in changes.removed:
            del self._intake.sources[id_]
        self._intake.sources.update(new.sources)
        front.take(config, door, changes)
        self._folders |= new.folders
        for folder in new.folders.values():
            folder.start()
        self._sources.start(new.tasks)
        # What needs a restart stays as it is.
        self._config = self._config.model_copy(update={"source": config.source})
        self._stamps = new.stamps
        return changes

    def _checked(self, config: Config) -> "_Renewed":
        """All that changes, made and checked."""
        every = {id_: Source(id_, source) for id_, source in config.source.items()}
        stamps = {id_: stamp_of(source) for id_, source in every.items()}
        stale = [id_ for id_, stamp in stamps.items() if stamp != self._stamps.get(id_, stamp)]
        changes = Changes.between(self._config, config, stale=stale)
        renewed = {id_: every[id_] for id_ in (*changes.added, *changes.changed)}
        for id_, source in renewed.items():
            source_options(source.connector, id_, source.config)
        check(every.values())
        return _Renewed(
            changes,
            renewed,
            _folders(self._intake, renewed.values()),
            self._sources.prepare(renewed.values()),
            stamps,
        )


class _Renewed(NamedTuple):
    changes: Changes
    sources: dict[str, Source]
    folders: dict[str, DropFolder]
    tasks: dict[str, SourceTask]
    stamps: dict[str, str]


def _folders(intake: Intake, sources: Iterable[Source]) -> dict[str, DropFolder]:
    return {
        source.id: DropFolder(intake, source)
        for source in sources
        if source.config.transport.kind == "drop_folder"
    }


async def _stopped(folders: Iterable[DropFolder]) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.run_in_executor(None, folder.stop) for folder in folders))
