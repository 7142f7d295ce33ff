"""Which unit a point lies in, by boundaries that an operator imported.

Every point of a boundary belongs to exactly one unit: of all units whose closed polygon has the
point, the lowest code. Polygons are simplified, so a point in a gap between two units that is no
wider than `TOLERANCE_M` belongs to the nearer (of equally near ones, the lower code). Beyond the
city's own border nothing is stretched.

The index is one file, `<data>/areas/<scheme>.boundaries`: a grid that answers at once for every
cell inside one unit, and the polygons for the other cells. It is mapped read-only, so all workers
of a machine share its pages; what each has for itself are the geometry library's polygons, made
when the first point near a boundary is asked for.
"""

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import shapely  # type: ignore[import-untyped] # publishes no type information
from numpy.typing import NDArray

from hub.areas.site import SUFFIX, folder_of
from hub.errors import EnvironmentNotReadyError

__all__ = [
    "TOLERANCE_M",
    "Boundaries",
    "Imported",
    "build",
    "metres",
]

TOLERANCE_M = 3.0
"""Widest gap or overlap between simplified polygons; they are simplified to about 2 m."""

_MAGIC = b"hub-areas-1\n"
_ALIGNED = 64
_CELL_DEGREES = 0.003  # about 300 m: an eighth of the cells are near a boundary, 2 MB in all
_OUTSIDE, _MIXED = -1, -2
# Metres a degree at 20.97 north, the middle of Hanoi (WGS 84); 0.3 % off at the city's ends.
_SCALE = np.array([103_990.0, 110_720.0])

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


def metres(geometry: Any) -> Any:
    """Polygons in degrees as polygons in metres, good to 0.3 % within Hanoi."""
    return shapely.transform(geometry, lambda degrees: degrees * _SCALE)


@dataclass(frozen=True, eq=False)
class Boundaries:
    """The boundaries of one scheme's units."""

    scheme: str
    codes: tuple[str, ...]
    """Codes in ascending order; answers are places in it."""
    origin_sha256: str
    """Of the file they were imported from."""
    west: float
    south: float
    cell: float
    grid: Ints
    """Rows from the south: the unit of a cell, -1 outside all, -2 where boundaries are near."""
    starts: Ints
    """For each cell where its candidates begin, and one more."""
    units: Ints
    """Candidates of the mixed cells, ascending."""
    coordinates: Floats
    offsets: tuple[NDArray[np.int64], ...]

    @cached_property
    def polygons(self) -> Any:
        """The polygons in degrees, prepared for many questions."""
        ragged = shapely.from_ragged_array(
            shapely.GeometryType.MULTIPOLYGON, self.coordinates, self.offsets
        )
        shapely.prepare(ragged)
        return ragged

    @cached_property
    def _metric(self) -> Any:
        return metres(self.polygons)

    def locate(self, lon: float, lat: float) -> str | None:
        """Code of the unit of one point, or None outside all."""
        if not (math.isfinite(lon) and math.isfinite(lat)):
            return None
        column = math.floor((lon - self.west) / self.cell)
        row = math.floor((lat - self.south) / self.cell)
        rows, columns = self.grid.shape
        if not (0 <= row < rows and 0 <= column < columns):
            return None
        owner = int(self.grid[row, column])
        if owner != _MIXED:
            return None if owner == _OUTSIDE else self.codes[owner]
        index = row * columns + column
        near: list[int] = self.units[self.starts[index] : self.starts[index + 1]].tolist()
        for unit in near:
            if shapely.intersects_xy(self.polygons[unit], lon, lat):
                return self.codes[unit]
        nearest = int(self._nearest(np.array([lon]), np.array([lat]), np.array([index]))[0])
        return None if nearest == _OUTSIDE else self.codes[nearest]

    def locate_many(self, lon: Floats, lat: Floats) -> Ints:
        """For each point the place of its unit in `codes`, or -1 outside all."""
        lon, lat = np.asarray(lon, np.float64), np.asarray(lat, np.float64)
        rows, columns = self.grid.shape
        with np.errstate(invalid="ignore"):
            column = np.floor((lon - self.west) / self.cell)
            row = np.floor((lat - self.south) / self.cell)
            # False for what is no number, too.
            within = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        found = np.full(lon.shape, _OUTSIDE, np.int32)
        cells = (row[within] * columns + column[within]).astype(np.int64)
        found[within] = self.grid.ravel()[cells]
        mixed = np.flatnonzero(found == _MIXED)
        if mixed.size:
            index = (row[mixed] * columns + column[mixed]).astype(np.int64)
            found[mixed] = self._in_polygons(lon[mixed], lat[mixed], index)
        return found

    def _in_polygons(self, lon: Floats, lat: Floats, cells: NDArray[np.int64]) -> Ints:
        points, units = self._candidates(cells)
        found = np.full(lon.shape, _OUTSIDE, np.int32)
        # The lowest code comes last and stays.
        for unit in np.unique(units)[::-1]:
            asked = points[units == unit]
            hit = shapely.intersects_xy(self.polygons[unit], lon[asked], lat[asked])
            found[asked[hit]] = unit
        left = np.flatnonzero(found == _OUTSIDE)
        if left.size:
            found[left] = self._nearest(lon[left], lat[left], cells[left])
        return found

    def _nearest(self, lon: Floats, lat: Floats, cells: NDArray[np.int64]) -> Ints:
        points, units = self._candidates(cells)
        at = shapely.points(np.column_stack([lon, lat]) * _SCALE)
        found = np.full(lon.shape, _OUTSIDE, np.int32)
        least = np.full(lon.shape, np.inf)
        second = np.full(lon.shape, np.inf)
        for unit in np.unique(units):
            asked = points[units == unit]
            distance = shapely.distance(self._metric[unit], at[asked])
            nearer = distance < least[asked]
            second[asked] = np.where(nearer, least[asked], np.minimum(second[asked], distance))
            found[asked[nearer]] = unit
            least[asked[nearer]] = distance[nearer]
        # The distances to both sides are the width of the gap.
        found[least + second > TOLERANCE_M] = _OUTSIDE
        return found

    def _candidates(self, cells: NDArray[np.int64]) -> tuple[NDArray[np.int64], Ints]:
        """Pairs of a point's place and a unit that is near its cell."""
        counts = self.starts[cells + 1] - self.starts[cells]
        points = np.repeat(np.arange(cells.size), counts)
        within = np.arange(points.size) - np.repeat(np.cumsum(counts) - counts, counts)
        return points, self.units[self.starts[cells][points] + within]

    def save(self, folder: Path) -> Path:
        """Write the index, whole or not at all; the file that workers load."""
        arrays: dict[str, NDArray[Any]] = {
            "grid": self.grid,
            "starts": self.starts,
            "units": self.units,
            "coordinates": self.coordinates,
            **{f"offsets{i}": each for i, each in enumerate(self.offsets)},
        }
        packed = bytearray()
        described = {}
        for name, array in arrays.items():
            packed += bytes(-len(packed) % _ALIGNED)
            described[name] = [array.dtype.str, list(array.shape), len(packed)]
            packed += np.ascontiguousarray(array).tobytes()
        header = json.dumps(
            {
                "scheme": self.scheme,
                "codes": self.codes,
                "origin_sha256": self.origin_sha256,
                "grid": [self.west, self.south, self.cell],
                "arrays": described,
                "sha256": hashlib.sha256(packed).hexdigest(),
            }
        ).encode()
        header += b" " * (-(len(_MAGIC) + len(header) + 1) % _ALIGNED) + b"\n"
        return _replace(folder / f"{self.scheme}{SUFFIX}", _MAGIC + header + bytes(packed))


def build(
    scheme: str, codes: Sequence[str], polygons: Sequence[Any], origin_sha256: str = ""
) -> Boundaries:
    """The index of polygons in degrees (WGS 84, lon/lat), one for each code, all of them valid."""
    order = np.argsort(np.array(codes))
    shapes = np.array([_multi(polygons[place]) for place in order], dtype=object)
    shapely.prepare(shapes)
    margin = 2 * TOLERANCE_M / _SCALE
    west, south, east, north = shapely.total_bounds(shapes)
    west, south = float(west - margin[0]), float(south - margin[1])
    columns = math.ceil((east + margin[0] - west) / _CELL_DEGREES)
    rows = math.ceil((north + margin[1] - south) / _CELL_DEGREES)
    x = west + np.tile(np.arange(columns), rows) * _CELL_DEGREES
    y = south + np.repeat(np.arange(rows), columns) * _CELL_DEGREES
    boxes = shapely.box(
        x - margin[0],
        y - margin[1],
        x + _CELL_DEGREES + margin[0],
        y + _CELL_DEGREES + margin[1],
    )
    cells, units = shapely.STRtree(shapes).query(boxes, predicate="intersects")
    sort = np.lexsort((units, cells))
    cells, units = cells[sort], units[sort]
    counts = np.bincount(cells, minlength=boxes.size)
    alone = (counts[cells] == 1) & shapely.contains_properly(shapes[units], boxes[cells])
    grid = np.full(boxes.size, _OUTSIDE, np.int32)
    grid[cells] = _MIXED
    grid[cells[alone]] = units[alone]
    starts = np.concatenate([[0], np.cumsum(np.bincount(cells[~alone], minlength=boxes.size))])
    _, coordinates, offsets = shapely.to_ragged_array(shapes)
    return Boundaries(
        scheme=scheme,
        codes=tuple(codes[place] for place in order),
        origin_sha256=origin_sha256,
        west=west,
        south=south,
        cell=_CELL_DEGREES,
        grid=grid.reshape(rows, columns),
        starts=starts.astype(np.int32),
        units=units[~alone].astype(np.int32),
        coordinates=np.asarray(coordinates, np.float64),
        offsets=tuple(np.asarray(each, np.int64) for each in offsets),
    )


def _multi(polygon: Any) -> Any:
    if polygon.geom_type == "MultiPolygon":
        return polygon
    return shapely.multipolygons([polygon])


@dataclass(frozen=True, eq=False)
class Imported:
    """The boundaries a site has imported, by scheme; see `hub.areas.resolve.Places`."""

    by_scheme: Mapping[str, Boundaries] = field(default_factory=dict)

    @property
    def schemes(self) -> frozenset[str]:
        """The schemes whose boundaries are there."""
        return frozenset(self.by_scheme)

    def locate(self, scheme: str, point: tuple[float, float]) -> str | None:
        """Code of the unit a point (lon, lat) lies in, or None outside all."""
        return self.by_scheme[scheme].locate(*point)

    @classmethod
    def load(cls, data: Path) -> "Imported":
        """What is imported into a data folder; `EnvironmentNotReadyError` for a broken file."""
        files = sorted(folder_of(data).glob(f"*{SUFFIX}"))
        return cls({each.scheme: each for each in map(_load, files)})


def _load(path: Path) -> Boundaries:
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise _broken(path, "it is no file of boundaries of this release")
            header = json.loads(file.readline())
            start = file.tell()
        mapped = np.memmap(path, np.uint8, "r", start)
        if hashlib.sha256(mapped.data).hexdigest() != header["sha256"]:
            raise _broken(path, "its content is not what was written")
        arrays = {}
        for name, (dtype, shape, offset) in header["arrays"].items():
            size = np.dtype(dtype).itemsize * math.prod(shape)
            arrays[name] = np.asarray(mapped[offset : offset + size]).view(dtype).reshape(shape)
        west, south, cell = header["grid"]
        return Boundaries(
            scheme=header["scheme"],
            codes=tuple(header["codes"]),
            origin_sha256=header["origin_sha256"],
            west=west,
            south=south,
            cell=cell,
            grid=arrays["grid"],
            starts=arrays["starts"],
            units=arrays["units"],
            coordinates=arrays["coordinates"],
            offsets=(arrays["offsets0"], arrays["offsets1"], arrays["offsets2"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _broken(path, f"can't read it: {error}") from error


def _broken(path: Path, what: str) -> EnvironmentNotReadyError:
    fix = "import the polygons again: hub area import FILE.geojson"
    return EnvironmentNotReadyError(what, where=str(path), fix=fix)


def _replace(path: Path, content: bytes) -> Path:
    """Write a file that readers see whole, and that is there after a power cut."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # In its own folder: a rename is atomic only within one file system.
        descriptor, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # Workers may run under another user than who imports.
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise EnvironmentNotReadyError(
            f"can't write it: {error.strerror}", where=str(path), fix="check the data folder"
        ) from error
    return path
