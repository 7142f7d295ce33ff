"""What operators read of unknown devices, and the proposal that the import takes."""

from datetime import UTC, datetime, timedelta

from hub import register
from hub.proposal import toml_of
from hub.unknown import record_key, still_unknown

START = datetime(2026, 3, 1, 8, tzinfo=UTC)


def row(device="CAM 7", *, hour=0, kind="vehicle.passage", registered_as="", **suggested):
    at = START + timedelta(hours=hour)
    return {
        "source_id": "vms",
        "device_ref": device,
        "hour": at,
        "kind": kind,
        "registered_as": registered_as,
        "suggested": {
            "device_id": f"vms/{device}",
            "valid_from": at + timedelta(minutes=5),
            "lat": None,
            "lon": None,
            "area_code": "",
            **suggested,
        },
    }


def device(ref="CAM 7", *, start=START, end=None):
    aliases = [{"source_id": "vms", "device_ref": ref}]
    return {"aliases": aliases, "valid_from": start, "valid_to": end}


def test_the_key_is_that_of_device_and_hour_whatever_their_letters():
    assert record_key(row("Cổng/1")) == b"vms/C%E1%BB%95ng%2F1@2026-03-01T08:00:00.000000Z"


def test_rows_of_one_device_are_one_line_and_a_repeated_row_counts_once():
    rows = [row(hour=0), row("other", hour=1), row(hour=2, kind="a"), row(hour=2, kind="b")]
    first, second = still_unknown(rows, [])
    assert (first.since, first.hours, first.row["kind"]) == (START, 2, "b")
    assert (second.row["device_ref"], second.hours) == ("other", 1)


def test_what_an_entry_explains_by_now_is_left_out():
    assert still_unknown([row()], [device()]) == []
    assert still_unknown([row(hour=3)], [device(end=START + timedelta(hours=2))])
    assert still_unknown([row()], [device(start=START + timedelta(hours=2))])
    assert still_unknown([row()], [device("CAM 8")])


def test_the_proposal_can_be_imported_as_it_is():
    found = still_unknown([row('Cổng "1"\\', lat=21.0287, lon=105.8522, area_code="00070")], [])
    text = toml_of((each.remark(), each.entry("csgt", "traffic")) for each in found)
    assert text.startswith("# seen in 1 hour since 2026-03-01T08:00Z, last as vehicle.passage\n")
    (entry,) = register.read(text, "proposed.toml")
    assert entry["aliases"] == [{"source_id": "vms", "device_ref": 'Cổng "1"\\'}]
    assert (entry["owner_agency"], entry["purpose"]) == ("csgt", "traffic")
    assert (entry["lat"], entry["area_code"]) == (21.0287, "00070")
    assert entry["valid_from"] == START + timedelta(minutes=5)


def test_a_remark_can_t_leave_its_line():
    found = still_unknown([row(kind='x\n[[device]]\ndevice_id = "evil"')], [])
    text = toml_of((each.remark(), each.entry()) for each in found)
    assert [each["device_id"] for each in register.read(text, "proposed.toml")] == ["vms/CAM 7"]


def test_a_device_known_at_other_times_is_said_to_be_so():
    (found,) = still_unknown([row(registered_as="cam-7")], [])
    assert found.remark().endswith("the register knows it as cam-7 at other times")
