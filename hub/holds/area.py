"""Where copies of held things lie: `<hold id>/objects/<SHA-256>` and `<hold id>/manifest.json`.

A hold has its own folder and shares nothing, so it can be handed over, or moved, as it is. The
manifest is written last and removed first: a folder without one is no hold.
"""

import hashlib
from collections.abc import Iterator
from uuid import UUID

from hub.config import Config
from hub.errors import RecordError
from hub.evidence.files import Files, Place
from hub.evidence.store import files_at
from hub.holds.manifest import Manifest, parsed

__all__ = ["HoldArea"]

_PLACE = Place("hold area", "holds_url")


class HoldArea:
    """The holds of a site."""

    def __init__(self, files: Files) -> None:
        self._files = files

    @classmethod
    def of(cls, config: Config) -> "HoldArea":
        """The site's own."""
        return cls(files_at(config.holds(), _PLACE))

    def ids(self) -> list[str]:
        """Holds that are whole."""
        return [name for name in self._folders() if self._files.exists(_manifest_path(name))]

    def unfinished(self) -> list[str]:
        """Folders without a manifest: an addition or a release broke off."""
        return [name for name in self._folders() if not self._files.exists(_manifest_path(name))]

    def manifest(self, hold_id: str) -> tuple[Manifest, bytes]:
        """A hold's manifest, and its SHA-256; `RecordError` when it is none."""
        data = self._files.read(_manifest_path(hold_id))
        try:
            return parsed(data), hashlib.sha256(data).digest()
        except ValueError as error:
            raise RecordError(
                f"its manifest is damaged: {error}",
                code="hold-corrupt",
                where=f"hold {hold_id}",
                fix="restore manifest.json from a copy of the hold area",
            ) from error

    def manifests(self) -> Iterator[Manifest]:
        """The manifests of all holds."""
        for hold_id in self.ids():
            yield self.manifest(hold_id)[0]

    def stored(self) -> set[str]:
        """Names of all bodies and pictures that are held."""
        return {name for each in self.manifests() for name in each.stored()}

    def put(self, hold_id: str, data: bytes) -> str:
        """Keep bytes with a hold, durably; their name."""
        name = hashlib.sha256(data).hexdigest()
        path = _object_path(hold_id, name)
        if not self._files.holds(path, len(data)):
            self._files.write(path, data)
        return name

    def get(self, hold_id: str, name: str) -> bytes:
        """A hold's object as it is; `FileNotFoundError` when it is gone."""
        return self._files.read(_object_path(hold_id, name))

    def finish(self, hold_id: str, manifest: bytes) -> None:
        """Write the manifest: from now on it is a hold."""
        self._files.write(_manifest_path(hold_id), manifest)

    def remove(self, hold_id: str) -> None:
        """Remove the copy, its manifest first."""
        self._files.remove(_manifest_path(hold_id))
        self._files.remove_all(hold_id)

    def _folders(self) -> Iterator[str]:
        for name in self._files.names(""):
            try:
                known = str(UUID(name)) == name
            except ValueError:
                continue
            if known:
                yield name


def _manifest_path(hold_id: str) -> str:
    return f"{hold_id}/manifest.json"


def _object_path(hold_id: str, name: str) -> str:
    return f"{hold_id}/objects/{name}"
