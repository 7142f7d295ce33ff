import csv
import hashlib
import io
import json
import re
from pathlib import Path
from random import Random

import pytest

from connectors._formats.plates import normalise
from hub.config import SourceConfig
from hub.simulator import build, credentials, plates, register_csv, sources
from hub.simulator.places import JUNCTIONS

SERIES = "[A-HK-NPSTUVXYZ]"
GRAMMAR = {
    "car": re.compile(rf"\d\d{SERIES}\d{{4,5}}"),
    "blue": re.compile(r"\d\d[A-HKLM]\d{5}"),
    "motorbike": re.compile(rf"\d\d{SERIES}(?:{SERIES}|[1-9])\d{{5}}"),
    "red": re.compile(r"[A-Z]{2}\d{4}"),
}
NEVER_ISSUED = {"13", "42", "44", "45", "46", "87", "91", "96"}
AVRO = Path(__file__).parents[2] / "schemas" / "avro"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_invented_plates_keep_to_the_grammar_and_are_mostly_hanois(seed: int) -> None:
    random = Random(seed)
    made = [plates.invent(random) for _ in range(2_000)]
    for plate in made:
        kind = "motorbike" if plate.motorbike else plate.colour
        assert GRAMMAR.get(kind, GRAMMAR["car"]).fullmatch(plate.text), plate
        assert plate.text[:2] not in NEVER_ISSUED
        assert normalise(plate.text) == plate.text
    hanoi = [plate for plate in made if plate.text[:2] in {"29", "30", "31", "32", "33", "40"}]
    assert len(hanoi) / len(made) > 0.8
    assert {plate.colour for plate in made} == {"white", "yellow", "blue", "red"}
    assert {plate.motorbike for plate in made} == {True, False}


def test_the_same_seed_builds_the_same_city_and_another_seed_another() -> None:
    assert build(7) == build(7)
    assert build(7) != build(8)
    assert len({camera.ref for camera in build(7).cameras}) == 300


def test_junctions_stand_in_wards_of_today_and_inside_hanoi() -> None:
    assert len(JUNCTIONS) >= 60
    for junction in JUNCTIONS:
        assert re.fullmatch(r"\d{5}", junction.ward.code)
        assert 20.9 < junction.lat < 21.1
        assert 105.7 < junction.lon < 105.95


def test_sources_are_valid_configuration_and_know_their_secrets_by_hash_only() -> None:
    keys = credentials(7)
    tables = sources(7)
    assert set(tables) == set(keys)
    assert len([name for name in tables if name.startswith("hik-")]) == 6
    assert len([name for name in tables if name.startswith("cap-")]) == 2
    for name, table in tables.items():
        source = SourceConfig.model_validate(table)
        known = source.auth.path_sha256 + source.auth.bearer_sha256
        assert known == (hashlib.sha256(keys[name].secret.encode()).hexdigest(),)
        assert bool(source.auth.path_sha256) == keys[name].by_path
        assert keys[name].secret not in json.dumps(table)


def test_the_register_has_the_fields_of_its_schema_and_leaves_out_unknown_cameras() -> None:
    city = build(7)
    rows = list(csv.DictReader(io.StringIO(register_csv(7))))
    fields = [field["name"] for field in json.loads((AVRO / "device.avsc").read_text())["fields"]]
    place = fields.index("aliases")
    assert list(rows[0]) == [*fields[:place], "source_id", "device_ref", *fields[place + 1 :]]
    unknown = {camera.ref for camera in city.cameras if not camera.registered}
    assert unknown
    assert not unknown & {row["device_ref"] for row in rows}
    assert len(rows) == len(city.cameras) - len(unknown) + len(city.cabinets)
    assert all(row["area_scheme"] == "nso-2025-07" and row["owner_agency"] for row in rows)
