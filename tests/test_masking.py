"""Recorded payloads without what is a person's."""

import base64
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hub import Payload
from hub.discovery import connector
from hub.plates.normal import normalise
from hub.recording import keep, new_masker
from hub.testing import check_connector, dry_run, samples_in, update_expected
from hub.testing.masking import GREY_JPEG, GREY_PNG, Masker

SAMPLES = Path(__file__).parent / "samples"
AT = datetime(2026, 3, 1, 1, 15, tzinfo=UTC)


@pytest.fixture
def masker():
    return Masker(b"tests: no secret, but long enough")


@pytest.mark.parametrize("plate", ["30K-555.55", "29-X1 234.56", "80A12345", "29MĐ1-234.56", "x-9"])
def test_an_invented_plate_has_the_shape_of_the_plate(masker, plate):
    invented = masker.plate(plate)
    assert len(invented) == len(plate)
    for old, new in zip(plate, invented, strict=True):
        if old.isdigit():
            assert new.isdigit()
        elif old.isalpha():
            assert new.isalpha()
        else:
            assert new == old
    assert normalise(invented).norm != normalise(plate).norm


@given(st.from_regex(r"[0-9]{2}[A-Z][0-9]?-[0-9]{3}\.[0-9]{2}", fullmatch=True))
def test_no_letter_of_a_plate_stays_in_its_place(plate):
    invented = Masker(b"k" * 32).plate(plate)
    same = [old for old, new in zip(plate, invented, strict=True) if old == new]
    assert set(same) <= set("-.")


def test_one_plate_becomes_one_plate_in_every_spelling(masker):
    body = b'{"a": "30K-555.55", "b": "30K55555", "c": "30k-555.55", "d": "29A-111.11"}'
    masked = masker.body(body, {"30K-555.55", "30K55555"})
    found = json.loads(masked.body)
    assert normalise(found["a"]).norm == normalise(found["b"]).norm == normalise(found["c"]).norm
    assert "555" not in found["a"]
    assert found["d"] != "29A-111.11"  # nobody read it, but it looks like one
    assert (masked.counts["plates"], masked.left) == (4, False)


def test_another_key_invents_another_plate():
    plates = {new_masker().plate("30K-555.55") for _ in range(8)}
    assert len(plates) > 1


def test_escaped_and_wide_plates_are_masked_too(masker):
    plate = "29MĐ1-234.56"
    escaped = json.dumps({"p": plate}).encode()
    for body in (escaped, f'<p n="{plate}"/>'.encode("utf-16-le")):
        assert "234.56" not in masker.body(body, {plate}).body.decode("utf-16-le", "replace")
        assert b"234.56" not in masker.body(body, {plate}).body


def test_a_plate_that_is_still_found_is_told(masker):
    assert masker.body(b'{"first": "30K", "second": "555.55"}', {"30K-555.55"}).left is False
    assert masker.body(b"30 K 555 55", {"30K-555.55"}).left is True


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (b'{"UserName": "Nguyen Van Mau", "UserId": "gate"}', b"Nguyen"),
        (b'{"PatrollerName": "Nguyen Van Mau", "Unit": "gate"}', b"Nguyen"),
        (b'{"driverName": "Tr\xe1\xba\xa7n Th\xe1\xbb\x8b Th\xe1\xbb\xad", "name": "gate"}', b"Tr"),
        (b"<a><reporter_name>Tran Thu</reporter_name><name>gate</name></a>", b"Tran"),
        (b'<a><x:contact role="r">Tran Thu</x:contact><name>gate</name></a>', b"Tran"),
        (b'{"operator": "Tran \\"T\\" Thu", "name": "gate"}', b"Thu"),
        (b'{"note": "call 0912 345 678", "name": "gate"}', b"345"),
        (b'{"note": "call +84912345678", "name": "gate"}', b"91234"),
        (b'{"note": "to tran.thu@mail.example", "name": "gate"}', b"tran"),
    ],
)
def test_what_names_a_person_is_masked_and_its_neighbours_stay(masker, body, left):
    masked = masker.body(body, ())
    assert left not in masked.body
    assert b"gate" in masked.body
    assert sum(masked.counts.values()) == 1


def test_times_and_numbers_are_no_telephones(masker):
    body = b'{"t": 1772327640123, "u": "20260301081400", "s": 0.123456789, "plateNo": "-"}'
    assert masker.body(body, ()).body == body


def picture(kind, *, size=64):
    file = io.BytesIO()
    image = Image.effect_noise((size, size), 90).convert("RGB")
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    image.save(file, kind, **({"exif": exif} if kind == "JPEG" else {}))
    return file.getvalue()


@pytest.mark.parametrize(("kind", "grey"), [("JPEG", GREY_JPEG), ("PNG", GREY_PNG)])
def test_pictures_become_small_grey_ones_and_lengths_follow(masker, kind, grey):
    data = picture(kind)
    body = b"--b\r\nContent-Length: %d\r\n\r\n" % len(data) + data + b"\r\n--b--\r\n"
    masked = masker.body(body, ())
    assert masked.body == b"--b\r\nContent-Length: %d\r\n\r\n" % len(grey) + grey + b"\r\n--b--\r\n"
    twice = masker.body(body + body, ())
    assert twice.counts == {"pictures": 2}
    encoded = base64.b64encode(data)
    for text in (encoded, encoded.replace(b"/", b"\\/")):
        found = json.loads(masker.body(b'{"p": "%s", "q": 1}' % text, ()).body)
        assert base64.b64decode(found["p"]) == grey


@pytest.mark.parametrize("grey", [GREY_JPEG, GREY_PNG])
def test_the_grey_pictures_are_pictures(grey):
    image = Image.open(io.BytesIO(grey))
    image.load()
    assert image.size <= (8, 8)


def test_a_thumbnail_inside_a_picture_ends_it_no_sooner(masker):
    inner = picture("JPEG", size=8)
    outer = picture("JPEG")
    segment = b"\xff\xe1" + (len(inner) + 2).to_bytes(2, "big") + inner
    assert masker.body(outer[:2] + segment + outer[2:] + b"rest", ()).body == GREY_JPEG + b"rest"


@pytest.mark.parametrize("cut", [4, 20, 300])
def test_a_cut_picture_is_dropped_to_the_end(masker, cut):
    assert masker.body(b"x" + picture("JPEG")[:cut], ()).body == b"x" + GREY_JPEG


@pytest.mark.parametrize(
    "sample", samples_in(SAMPLES / "hikvision_isapi"), ids=lambda sample: sample.name
)
def test_a_recorded_passage_gives_the_same_outcomes_but_for_the_plate(tmp_path, sample):
    found = connector("hikvision_isapi")
    kept = keep(
        sample.payload(),
        connector=found,
        options=sample.options,
        folder=tmp_path / "samples",
        masker=new_masker(),
        recorded="DS-X 1.0",
    )
    assert kept.file is not None, kept.why
    before = [type(each) for each in dry_run(found, sample)]
    (again,) = samples_in(tmp_path / "samples")
    assert [type(each) for each in dry_run(found, again)] == before
    assert again.recorded == "DS-X 1.0"
    update_expected(found, tmp_path / "samples")
    assert check_connector(found, tmp_path / "samples") == []


def test_a_payload_is_kept_once_and_its_address_never(tmp_path):
    found = connector("spat")
    (sample,) = (s for s in samples_in(SAMPLES / "spat") if s.name.startswith("frame"))
    payload = Payload(
        body=sample.body,
        content_type="application/json",
        received_at=AT,
        source_id="s",
        payload_id="p-123456",
        meta={"peer": "10.20.0.7", "path": "30K-555.55.json"},
    )
    more = {
        "connector": found,
        "options": {},
        "folder": tmp_path,
        "masker": new_masker(),
        "recorded": "",
    }
    first = keep(payload, **more)
    assert first.file == tmp_path / "s-20260301T011500-123456.json"
    meta = json.loads((tmp_path / f"{first.file.name}.meta.json").read_text())["meta"]
    assert list(meta) == ["path"]
    assert "555" not in meta["path"]
    assert "is there already" in keep(payload, **more).why
