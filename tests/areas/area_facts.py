"""Where the published lists and polygons are, and small registers of invented decrees."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import shapely

import hub
from hub.areas.tables import Register, read

ROOT = Path(hub.__file__).parents[1]
GEO = ROOT.parent / "shared" / "geo"
DATA = ROOT / "hub" / "areas" / "data"
OLD, NEW = "nso-2024", "nso-2025-07"
REFORM_US = 1_751_302_800_000_000  # 2025-07-01T00:00+07:00
BEFORE_US, AFTER_US = REFORM_US - 1, REFORM_US

needs_geo = pytest.mark.skipif(
    not GEO.is_dir(), reason="the published lists and polygons are not beside the project"
)


def published(name: str) -> list[dict[str, str]]:
    with (GEO / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def wards() -> tuple[list[str], list[Any]]:
    features = json.loads((GEO / "hanoi-wards-2025-07.geojson").read_bytes())["features"]
    codes = [feature["properties"]["code"] for feature in features]
    return codes, [shapely.geometry.shape(feature["geometry"]) for feature in features]


def with_a_third_scheme(folder: Path) -> Register:
    """The register after an invented decree of 2027.

    It joins 00004 and 00008 as 00004, splits 00070 into 00070 and 00071, leaves all others.
    """
    units = (DATA / "units.csv").read_text("utf-8").splitlines()
    gone = "nso-2025-07,00008,"
    kept = [line for line in units if line.startswith(NEW) and not line.startswith(gone)]
    units += [line.replace(NEW, "decree-2027") for line in kept]
    units.append("decree-2027,00071,Tháp Rùa,phường,")
    successions = (DATA / "successions.csv").read_text("utf-8").splitlines()
    targets = {"00008": ["00004"], "00070": ["00070", "00071"]}
    for line in (DATA / "units.csv").read_text("utf-8").splitlines():
        scheme, code = line.split(",")[:2]
        if scheme == NEW:
            after = targets.get(code, [code])
            extent = "whole" if len(after) == 1 else "part"
            successions += [f"{NEW},{code},decree-2027,{each},{extent}," for each in after]
    schemes = (DATA / "schemes.csv").read_text("utf-8")
    schemes = schemes.replace("nso-2025-07,2025-07-01,,", "nso-2025-07,2025-07-01,2027-01-01,")
    schemes += "decree-2027,2027-01-01,,an invented decree\n"
    (folder / "units.csv").write_text("\n".join(units) + "\n", "utf-8")
    (folder / "successions.csv").write_text("\n".join(successions) + "\n", "utf-8")
    (folder / "schemes.csv").write_text(schemes, "utf-8")
    return read(folder)


class Squares:
    """Boundaries of a scheme for tests: which code has which point."""

    def __init__(self, scheme: str, places: dict[tuple[float, float], str]) -> None:
        self.schemes = frozenset({scheme})
        self._places = places

    def locate(self, scheme: str, point: tuple[float, float]) -> str | None:
        assert scheme in self.schemes
        return self._places.get(point)
