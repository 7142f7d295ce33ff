"""The areas as one site knows them: the shipped register, with the boundaries it has imported."""

from pathlib import Path

from hub.areas.resolve import Areas

__all__ = ["SUFFIX", "folder_of", "of_site"]

SUFFIX = ".boundaries"


def folder_of(data: Path) -> Path:
    """Where a site keeps its imported boundaries, a file for each scheme."""
    return data / "areas"


def of_site(data: Path) -> Areas:
    """The areas for a data folder; `EnvironmentNotReadyError` when its boundaries are broken.

    Every machine that runs process must have the same boundaries (or none): a position decides
    between the parts of a split unit only where they are there.
    """
    if not any(folder_of(data).glob(f"*{SUFFIX}")):
        return Areas()  # without loading a geometry library
    from hub.areas.points import Imported

    return Areas(places=Imported.load(data))
