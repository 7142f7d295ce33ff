import json
from datetime import UTC, datetime

import pytest

import schemas
from hub import register
from hub.codec import RecordCodec
from hub.errors import PayloadError
from hub.render import json_line, plain

HEAD = "device_id,valid_from,valid_to,source_id,device_ref,name,lat,lon,state,lane"
JULY = datetime(2025, 6, 30, 17, tzinfo=UTC)


def read(*lines, head=HEAD):
    return register.read("\n".join([head, *lines]), "devices.csv")


def refusal(*lines, head=HEAD):
    with pytest.raises(PayloadError) as caught:
        read(*lines, head=head)
    return str(caught.value)


def test_a_line_becomes_an_entry_with_every_field_of_the_schema():
    (device,) = read("cam-1,2025-07-01,,kim-ma,mac/1,Camera Kim Mã,21.03,105.81,active,2")
    assert set(device) == {field["name"] for field in schemas.source("device")["fields"]}
    assert (device["valid_from"], device["valid_to"]) == (JULY, None)
    assert (device["state"], device["lane"], device["lat"]) == ("ACTIVE", 2, 21.03)
    codec = RecordCodec(schemas.built("device.v1"), 1)
    assert codec.decode(codec.encode(device)) == device


def test_lines_of_one_entry_merge_and_keep_every_name():
    (device,) = read(
        "cam-1,2025-07-01,,kim-ma,mac/1,Camera,,,,",
        "",
        "cam-1,2025-07-01T00:00:00+07:00,,vms,77,Camera,,,,",
        "cam-1,2025-07-01,,vms,77,Camera,,,,",
    )
    assert device["aliases"] == [
        {"source_id": "kim-ma", "device_ref": "mac/1"},
        {"source_id": "vms", "device_ref": "77"},
    ]


def test_text_is_normalised_and_a_byte_order_mark_is_skipped():
    text = "\ufeff" + HEAD + "\ncam-1,2025-07-01,,,,Kim Ma\u0303,,,,\n"
    assert register.read(text)[0]["name"] == "Kim M\u00e3"


@pytest.mark.parametrize(
    ("line", "column", "what"),
    [
        (",2025-07-01,,,,,,,,", "device_id", "empty"),
        ("cam-1,1/7/2025,,,,,,,,", "valid_from", "is no time"),
        ("cam-1,2025-07-01T08:00:00,,,,,,,,", "valid_from", "is no time"),
        ("cam-1,2025-07-01,2025-06-01,,,,,,,", "valid_to", "ends before"),
        ("cam-1,2025-07-01,,,,,91,105,,", "lat", "not between"),
        ('cam-1,2025-07-01,,,,,"21,03",105,,', "lat", "decimal point"),
        ("cam-1,2025-07-01,,,,,nan,105,,", "lat", "not between"),
        ("cam-1,2025-07-01,,,,,,,broken,", "state", "none of UNKNOWN"),
        ("cam-1,2025-07-01,,,,,,,,two", "lane", "whole number"),
        ("cam-1,2025-07-01,,no source,1,,,,,", "source_id", "no name"),
        ("cam-1,2025-07-01,,kim-ma,,,,,,", "device_ref", "empty"),
    ],
)
def test_a_wrong_cell_is_named_by_line_and_column(line, column, what):
    text = refusal("cam-0,2025-07-01,,,,,,,,", line)
    assert f"devices.csv line 3, column {column}" in text
    assert what in text


def test_a_line_of_another_length_is_named():
    assert "devices.csv line 2: 2 cells, there are 10 columns" in refusal("cam-1,2025-07-01")


def test_half_a_position_is_refused():
    assert "only one of lat and lon" in refusal("cam-1,2025-07-01,,,,,21.0,,,")


@pytest.mark.parametrize(
    ("head", "what"),
    [
        ("device_id,valid_from,nameee", "did you mean name?"),
        ("device_id,name", "no column 'valid_from'"),
        ("device_id,valid_from,name,name", "there twice"),
        ("device_id,valid_from,source_id", "belong together"),
    ],
)
def test_wrong_columns_are_refused(head, what):
    assert what in refusal(head=head)


def test_an_empty_file_says_what_to_begin_with():
    with pytest.raises(PayloadError, match="begin with a line of columns"):
        register.read("")


def test_lines_of_one_entry_that_differ_are_refused():
    text = refusal("cam-1,2025-07-01,,,,One,,,,", "cam-1,2025-07-01,,,,Two,,,,")
    assert "line 3, column name: 'Two', but 'One' in line 2" in text


def test_one_name_for_two_devices_at_the_same_time_is_refused():
    text = refusal("cam-1,2025-07-01,,vms,7,,,,,", "cam-2,2026-01-01,,vms,7,,,,,")
    assert "vms/7 is cam-1" in text
    assert "valid_to" in text


def test_a_name_may_pass_to_another_device_when_the_first_has_ended():
    assert len(read("cam-1,2025-07-01,2026-01-01,vms,7,,,,,", "cam-2,2026-01-01,,vms,7,,,,,")) == 2


def test_the_difference_names_new_and_changed_entries_and_fields():
    held = {
        register.record_key(each): each
        for each in read("cam-1,2025-07-01,,vms,1,One,,,,", "cam-2,2025-07-01,,vms,2,Two,,,,")
    }
    diff = register.compare(
        held,
        read(
            "cam-1,2025-07-01,,vms,1,One,,,,",
            "cam-2,2025-07-01,,vms,2,Zwei,,,,",
            "cam-3,2025-07-01,,vms,3,Three,,,,",
        ),
    )
    assert [each["device_id"] for each in diff.added] == ["cam-3"]
    assert [(each["device_id"], names) for each, names in diff.changed] == [("cam-2", ("name",))]
    assert diff.unchanged == 1


def test_an_import_that_contradicts_what_is_there_is_refused():
    held = {register.record_key(each): each for each in read("cam-1,2025-07-01,,vms,1,,,,,")}
    with pytest.raises(PayloadError, match="after the import"):
        register.compare(held, read("cam-9,2026-01-01,,vms,1,,,,,"))


TOML = """\
[[device]]
device_id = "cam-1"
valid_from = 2025-07-01
name = "Camera Kim Mã"
lat = 21.03
lon = 105.81
lane = 2
state = "active"
aliases = { vms = "CAM 7", isapi = ["mac/1", "channel 1"] }
"""


def toml_refusal(text):
    with pytest.raises(PayloadError) as caught:
        register.read(text, "devices.toml")
    return str(caught.value)


def test_toml_and_csv_give_the_same_entry():
    (device,) = register.read(TOML, "devices.toml")
    same = read(
        "cam-1,2025-07-01,,vms,CAM 7,Camera Kim Mã,21.03,105.81,active,2",
        "cam-1,2025-07-01,,isapi,mac/1,Camera Kim Mã,21.03,105.81,active,2",
        "cam-1,2025-07-01,,isapi,channel 1,Camera Kim Mã,21.03,105.81,active,2",
    )
    assert [device] == same


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("lane = 2", 'lane = "two"', "'two' is not a whole number"),
        ("lane = 2", "lane_ = 2", "did you mean lane"),
        ('device_id = "cam-1"', "", "column device_id: empty"),
        ("lat = 21.03\n", "", "only one of lat and lon"),
        ('{ vms = "CAM 7", isapi = ["mac/1", "channel 1"] }', '"CAM 7"', "names by source"),
        ('vms = "CAM 7"', "vms = 7", "7 is no text"),
        ('vms = "CAM 7"', 'vms = ""', "write how the source names the device"),
        ("[[device]]", "[[devices]]", "must hold [[device]] tables"),
        ("[[device]]", "[[device", "not TOML"),
    ],
)
def test_what_is_wrong_in_toml_is_named_with_its_table(before, after, told):
    text = toml_refusal(TOML.replace(before, after))
    assert told in text
    assert "devices.toml" in text


def test_the_same_entry_twice_in_toml_is_refused():
    assert "device 1 is the same entry" in toml_refusal(TOML + TOML)


def test_two_devices_with_one_name_at_one_time_are_refused_in_toml_too():
    other = TOML.replace('"cam-1"', '"cam-2"')
    assert "at the same time" in toml_refusal(TOML + other)


JSON = {
    "device_id": "cam-1",
    "valid_from": "2025-07-01",
    "name": "Camera Kim Ma\u0303",
    "lat": 21.03,
    "lon": 105.81,
    "lane": 2,
    "state": "active",
    "firmware": None,
    "aliases": {"vms": "CAM 7", "isapi": ["mac/1", "channel 1"]},
}


def from_json(*entries, where="devices.json"):
    return register.read(json.dumps({"devices": entries}), where)


def json_refusal(document, where="devices.json"):
    with pytest.raises(PayloadError) as caught:
        register.read(json.dumps(document), where)
    return str(caught.value)


def test_json_gives_the_same_entry_as_toml():
    same = register.read(TOML, "devices.toml")
    assert from_json(JSON) == same
    assert register.read(json.dumps([JSON]), "devices.json") == same


def test_what_the_register_lists_as_json_lines_can_be_imported_again():
    found = [*from_json(JSON), *from_json({**JSON, "device_id": "cam-2", "aliases": {}})]
    lines = "\n".join(json_line(each) for each in found)
    assert register.read(lines, "devices.jsonl") == found
    assert register.read(json.dumps(plain(found)), "devices.json") == found


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"cameras": []}, "no list of entries"),
        ("text", "no list of entries"),
        (["cam-1"], "device 1: it is no object"),
        ([{**JSON, "heading": 21.0}], "did you mean heading_deg?"),
        ([{**JSON, "name": {"vi": "x"}}], "(cam-1), name: neither a text nor a number"),
        ([{**JSON, "lane": True}], "lane: neither a text nor a number"),
        ([{**JSON, "aliases": [{"source_id": "vms", "device_ref": 7}]}], "7 is no text"),
        ([{**JSON, "aliases": [{}]}], "name the source"),
        ([{**JSON, "aliases": ["CAM 7"]}], "names by source"),
        ([JSON, JSON], "device 1 is the same entry"),
        ([JSON, {**JSON, "device_id": "cam-2"}], "at the same time"),
    ],
)
def test_what_is_wrong_in_json_is_named_with_its_entry(document, told):
    assert told in json_refusal(document)


def test_what_is_no_json_is_told_so():
    with pytest.raises(PayloadError, match="not JSON"):
        register.read("[", "devices.json")
    with pytest.raises(PayloadError, match="not JSON"):
        register.read("[" * 100_000, "devices.json")


def test_lanes_are_a_list_or_numbers_in_a_cell_and_one_alone_is_the_lane():
    head = "device_id,valid_from,lanes,lane"
    found = read("a,2025-07-01,3 1;2,", "b,2025-07-01,4,", "c,2025-07-01,,5", head=head)
    assert [(each["lanes"], each["lane"]) for each in found] == [
        ([1, 2, 3], None), ([4], 4), ([], 5)
    ]  # fmt: skip
    (same,) = from_json({"device_id": "a", "valid_from": "2025-07-01", "lanes": [3, 2, 1]})
    assert same["lanes"] == [1, 2, 3]
    assert "lane 3 is none of its lanes" in refusal("a,2025-07-01,1 2,3", head=head)
    assert "no lanes from 1 to 32" in refusal("a,2025-07-01,0,", head=head)
    assert "not whole numbers" in refusal("a,2025-07-01,1-3,", head=head)


def test_a_time_zone_is_one_that_exists():
    head = "device_id,valid_from,zone"
    (device,) = read("a,2025-07-01,Asia/Ho_Chi_Minh", head=head)
    assert device["zone"] == "Asia/Ho_Chi_Minh"
    for wrong in ("Asia/Hanoi", "+07:00", "../etc/passwd"):
        assert "is no time zone" in refusal(f"a,2025-07-01,{wrong}", head=head)


APRIL = datetime(2026, 4, 1, tzinfo=UTC)


def held_of(*lines):
    return {register.record_key(each): each for each in read(*lines)}


def ends(diff):
    return {each["device_id"]: each["valid_to"] for each in diff.ended}


def test_a_complete_register_ends_what_it_lacks_and_deletes_nothing():
    held = held_of(
        "kept,2025-07-01,,vms,1,,,,,",
        "gone,2025-07-01,,vms,2,,,,,",
        "planned end,2025-07-01,2027-01-01,vms,3,,,,,",
        "over,2025-07-01,2026-01-01,vms,4,,,,,",
        "to come,2026-06-01,,vms,5,,,,,",
        "also kept,2025-07-01,,vms,6,,,,,",
    )
    new = read("kept,2025-07-01,,vms,1,,,,,", "also kept,2025-07-01,,vms,6,,,,,")
    diff = register.compare(held, new, ends_at=APRIL)
    assert ends(diff) == {"gone": APRIL, "planned end": APRIL}
    assert (diff.added, diff.changed, diff.unchanged) == ((), (), 2)
    after = {**held, **{register.record_key(each): each for each in diff.written()}}
    assert after.keys() == held.keys()
    assert register.compare(after, new, ends_at=APRIL).written() == []
    assert register.compare(held, new).written() == []


def test_an_entry_ends_where_the_next_one_of_its_device_begins():
    held = held_of("cam-1,2025-07-01,,vms,1,,,,,")
    moved = "cam-1,2026-01-01,,vms,1,Moved,,,,"
    with pytest.raises(PayloadError, match="at the same time"):
        register.compare(held, read(moved))
    diff = register.compare(held, read(moved), ends_at=APRIL)
    assert ends(diff) == {"cam-1": datetime(2025, 12, 31, 17, tzinfo=UTC)}
    assert [each["name"] for each in diff.added] == ["Moved"]


def test_a_register_that_lacks_most_devices_is_not_taken_for_complete():
    held = held_of(*(f"cam-{number},2025-07-01,,vms,{number},,,,," for number in range(10)))
    half = list(held.values())[:5]
    assert len(register.compare(held, half, ends_at=APRIL).ended) == 5
    with pytest.raises(PayloadError, match="it lacks 6 of the 10 devices in force"):
        register.compare(held, half[:4], ends_at=APRIL)
    assert len(register.compare(held, half[:4], ends_at=APRIL, end_most=True).ended) == 6


def test_what_ends_makes_room_for_its_name():
    held = held_of(*(f"cam-{number},2025-07-01,,vms,{number},,,,," for number in range(3)))
    new = [*list(held.values())[:2], *read("heir,2026-05-01,,vms,2,,,,,")]
    assert ends(register.compare(held, new, ends_at=APRIL)) == {"cam-2": APRIL}
    early = [*list(held.values())[:2], *read("heir,2026-03-01,,vms,2,,,,,")]
    with pytest.raises(PayloadError, match="vms/2 is cam-2"):
        register.compare(held, early, ends_at=APRIL)
