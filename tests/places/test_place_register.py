"""The register of places as operators hand it in."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from place_facts import HEAD, LINES

import hub
import schemas
from hub.codec import RecordCodec
from hub.errors import PayloadError
from hub.places import register

JULY = datetime(2025, 6, 30, 17, tzinfo=UTC)
ROAD_A, ROAD_B = "a,2025-07-01,,road,A,,,,,,,", "b,2025-07-01,,road,B,,,,,,,"
TOML = """
[[location]]
location_id = "ring-3"
valid_from = 2025-07-01
kind = "road"
name = "Vành đai 3"
aliases = ["Phạm Hùng", "Khuất Duy Tiến"]

[[location]]
location_id = "j"
valid_from = 2025-07-01T00:00:00+07:00
kind = "junction"
name = "Phạm Hùng - Mễ Trì (VT7)"
roads = ["ring-3", "me-tri"]
lat = 21.01
lon = 105.78
areas = ["nso-2025-07:00592"]
"""


def read(*lines, head=HEAD):
    return register.read("\n".join([head, *lines]), "places.csv")


def refusal(*lines, head=HEAD):
    with pytest.raises(PayloadError) as caught:
        register.check(read(*lines, head=head), "places.csv")
    return str(caught.value)


def test_every_line_becomes_an_entry_with_every_field_of_the_schema():
    entries = read(*LINES)
    register.check(entries)
    codec = RecordCodec(schemas.built(register.TOPIC), 1)
    assert len(entries) == len(LINES)
    assert [codec.decode(codec.encode(entry)) for entry in entries] == entries
    assert entries[2]["aliases"] == ["Phạm Hùng", "Khuất Duy Tiến", "Nguyễn Xiển"]
    assert entries[4]["kind"] == "MILESTONE_ROAD"


def test_toml_says_the_same_as_csv():
    ring, junction = register.read(TOML, "places.toml")
    where = "21.01,105.78,nso-2025-07:00592"
    assert [ring, junction] == read(
        "ring-3,2025-07-01,,ROAD,Vành đai 3,Phạm Hùng;Khuất Duy Tiến,,,,,,",
        f"j,2025-07-01,,junction,Phạm Hùng - Mễ Trì (VT7),,ring-3;me-tri,,,{where}",
    )
    assert (junction["valid_from"], junction["position_code"]) == (JULY, "VT7")
    assert register.record_key(ring) == b"ring-3@2025-06-30T17:00:00.000000Z"


@pytest.mark.parametrize(
    ("line", "column", "what"),
    [
        (",2025-07-01,,road,A,,,,,,,", "location_id", "empty"),
        ("a b,2025-07-01,,road,A,,,,,,,", "location_id", "no id"),
        ("a,1/7/2025,,road,A,,,,,,,", "valid_from", "is no time"),
        ("a,2025-07-01,2025-07-01,road,A,,,,,,,", "valid_to", "ends before"),
        ("a,2025-07-01,,,A,,,,,,,", "kind", "must be given"),
        ("a,2025-07-01,,street,A,,,,,,,", "kind", "none of UNKNOWN, ROAD"),
        ("a,2025-07-01,,road,,,,,,,,", "name", "empty"),
        ("a,2025-07-01,,road,VT87,,,,,,,", "name", "names no road"),
        ("a,2025-07-01,,road,A,Km5 QL1A,,,,,,", "aliases", "names no road"),
        ("a,2025-07-01,,junction,A - B,,a,,,,,", "roads", "the roads that meet"),
        ("a,2025-07-01,,junction,A - B,,a;a,,,,,", "roads", "the roads that meet"),
        ("a,2025-07-01,,road,A,,,j,,,,", "junction", "only a position"),
        ("a,2025-07-01,,position,A,,,,,,,", "position_code", "needs its number"),
        ("a,2025-07-01,,position,A,,,,87,,,", "position_code", "no position"),
        ("a,2025-07-01,,position,A (VT1),,,,VT2,,,", "position_code", "VT1, VT2"),
        ("a,2025-07-01,,road,A,,,,,,,00004", "areas", "'00004' is no area"),
        ("a,2025-07-01,,road,A,,,,,,,nso-2025-07:99999", "areas", "is no area"),
    ],
)
def test_a_wrong_cell_is_named_by_line_and_column(line, column, what):
    text = refusal(ROAD_B, line)
    assert f"places.csv line 3, column {column}" in text
    assert what in text


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("a,2025-07-01,,road,A,,b;c,,,,,", "a road has no roads"),
        ("a,2025-07-01,,road,A,,,,,21.0,,", "only one of lat and lon"),
        ("a,2025-07-01,,road,A,,,,,10.78,106.69,", "106.690000, 10.780000 is outside Hanoi"),
        ("a,2025-07-01,,road,A,,,,,105.79,21.02,", "in Hanoi with its axes swapped"),
        ("a,2025-07-01,,road,A,,,,,2326366,588384,", "in Hanoi as EPSG:5897"),
        ("a,2025-07-01", "2 cells, there are 12 columns"),
    ],
)
def test_what_is_wrong_with_a_whole_line_is_named_by_it(line, what):
    text = refusal(line)
    assert text.startswith("places.csv line 2: ")
    assert what in text


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (["a,2025-07-01,,road,A,,,,,,,", "a,2026-01-01,,road,A2,,,,,,,"], "the id a is a from"),
        (["a,2025-07-01,,road,Đường A,,,,,,,", "b,2025-07-01,,road,B,Phố A,,,,,,"],
         "the name 'Đường A' is a from"),
        (["a,2025-07-01,,road,A,,,,,,,", "b,2026-01-01,,milestone_road,A,,,,,,,"], "the name 'A'"),
        ([ROAD_A, ROAD_B, "j,2025-07-01,,junction,A - B,,a;b,,,,,",
          "k,2025-07-01,,junction,B / A,,a;b,,,,,"], "the name 'A - B' is j from"),
        (["p,2025-07-01,,position,,,,,VT7,,,", "q,2025-07-01,,position,,,,,vt 07,,,"],
         "the position VT7 is p from"),
        ([ROAD_A, "j,2025-07-01,,junction,A - B,,a;b,,,,,"], "j, roads: there is no road 'b'"),
        ([ROAD_A, "b,2026-01-01,,road,B,,,,,,,", "j,2025-07-01,,junction,A - B,,a;b,,,,,"],
         "there is no road 'b' on 2025-06-30T17:00:00"),
        (["a,2025-07-01,2026-01-01,road,A,,,,,,,", ROAD_B,
          "j,2025-07-01,,junction,A - B,,a;b,,,,,"], "there is no road 'a' on 2025-12-31T17:00:00"),
        (["p,2025-07-01,,position,,,,a,VT7,,,", ROAD_A], "there is no junction 'a'"),
    ],
)  # fmt: skip
def test_entries_that_contradict_each_other_are_refused(lines, what):
    text = refusal(*lines)
    assert what in text
    assert "To mend it:" in text


def test_one_name_is_allowed_one_after_the_other_and_in_areas_apart():
    register.check(
        read(
            "a,2025-07-01,2026-01-01,road,A,,,,,,,",
            "b,2026-01-01,,road,A,,,,,,,nso-2025-07:00004",
            "c,2026-01-01,,road,A,,,,,,,nso-2025-07:09556",
        )
    )
    assert "the name 'A'" in refusal(
        "b,2026-01-01,,road,A,,,,,,,nso-2025-07:00004;nso-2025-07:00008",
        "c,2026-01-01,,road,A,,,,,,,nso-2025-07:00008",
    )


def test_a_road_that_is_dated_in_parts_carries_its_junction():
    register.check(
        read(
            "a,2025-01-01,2025-12-01,road,A,,,,,,,",
            "a,2025-12-01,,road,Đường A mới,,,,,,,",
            ROAD_B,
            "j,2025-07-01,,junction,A - B,,a;b,,,,,",
        )
    )


@pytest.mark.parametrize(
    ("head", "what"),
    [
        ("location_id,valid_from", "there is no column 'kind'"),
        ("location_id,valid_from,kind,alias", "did you mean aliases?"),
        ("location_id,valid_from,kind,kind", "a column is there twice"),
    ],
)
def test_wrong_columns_are_named(head, what):
    assert what in refusal(head=head)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[[location]]\nlocation_id = 'a'\nkind = 'road'\nname = ['A']\nvalid_from = 2025-07-01",
         "column name: several values"),
        ("[[location]]\nlocation_id = 'a'\nkind = 'road'\naliases = [1]\nvalid_from = 2025-07-01",
         "column aliases: not a list of texts"),
        ("[[location]]\nid = 'a'", "location 1 (?): unknown key 'id'"),
        ("[[place]]\nid = 'a'", "it must hold [[location]] tables"),
        ("[[location", "not TOML"),
    ],
)  # fmt: skip
def test_wrong_toml_is_named_by_table_and_key(text, what):
    with pytest.raises(PayloadError) as caught:
        register.read(text, "places.toml")
    assert what in str(caught.value)


def test_the_example_for_operators_is_a_register():
    ops = (Path(hub.__file__).parents[1] / "ops" / "README.md").read_text("utf-8")
    chapter = ops.partition("## The register of places")[2]
    example = chapter.partition("```toml\n")[2].partition("```")[0]
    entries = register.read(example, "places.toml")
    register.check(entries, "places.toml")
    assert [entry["kind"] for entry in entries] == ["ROAD", "ROAD", "JUNCTION"]
    assert entries[2]["position_code"] == "VT12"


def test_an_entry_twice_in_a_file_is_refused():
    assert "a is there twice with one date" in refusal(ROAD_A, ROAD_A)


def test_an_import_tells_what_is_new_what_differs_and_checks_it_with_the_rest():
    held = {register.record_key(entry): entry for entry in read(ROAD_A, ROAD_B)}
    junction = "j,2025-07-01,,junction,A - B,,a;b,,,,,"
    diff = register.compare(held, read(ROAD_A, "b,2025-07-01,,road,B,B2,,,,,,", junction))
    assert [entry["location_id"] for entry in diff.added] == ["j"]
    assert [(entry["location_id"], names) for entry, names in diff.changed] == [("b", ("aliases",))]
    assert diff.unchanged == 1
    with pytest.raises(PayloadError, match="register after the import"):
        register.compare(held, read("c,2025-07-01,,road,A,,,,,,,"))
