"""`hub area resolve|import`."""

import json

import pytest
from area_facts import GEO, NEW, OLD, needs_geo

from hub.areas.points import Imported
from hub.areas.site import folder_of
from hub.cli import main

HERE = "105.8522,21.0287"


@pytest.fixture(autouse=True)
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("HUB_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("HUB_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def resolved(capsys, *words):
    assert main(["area", "resolve", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_an_answer_is_printed_for_people(capsys):
    assert main(["area", "resolve", "--code", "00070", "--scheme", OLD]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ambiguous (by code)"
    assert lines[1].split("  ") == [NEW, "00070", "Phường Hoàn Kiếm"]
    assert lines[2].split("  ") == [NEW, "00082", "Phường Cửa Nam"]
    assert len(lines) == 3


def test_an_answer_is_printed_as_one_json_object(capsys):
    answer = resolved(capsys, "--code", "00013", "--at", "2025-06-30")
    quan_thanh = {
        "scheme": OLD,
        "code": "00013",
        "name": "Quán Thánh",
        "kind": "phường",
        "district": "001",
        "district_name": "Ba Đình",
    }
    assert answer["candidates"] == answer["meant"] == [quan_thanh]
    assert (answer["method"], answer["resolution"]) == ("code", "exact")
    assert answer["then"] == {"scheme": OLD, "resolution": "exact", "areas": [quan_thanh]}
    assert [unit["code"] for unit in answer["now"]["areas"]] == ["00004"]
    assert (answer["now"]["scheme"], answer["now"]["resolution"]) == (NEW, "whole")


@pytest.mark.parametrize(
    ("words", "codes", "resolution"),
    [
        (["--code", "00070", "--at", "2025-07-01"], ["00070"], "exact"),
        (["--code", "00070", "--at", "2025-06-30T23:59:59.999999+07:00"], ["00070"], "exact"),
        (["--code", "00070", "--at", "2025-06-30T17:00:00Z"], ["00070"], "exact"),
        (["--code", "00070"], ["00070", "00070"], "ambiguous"),
        (["--name", "P. hoan kiem"], ["00070"], "exact"),
        (["--name", "Minh Khai", "--district", "Q. Hai Ba Trung"], ["00292", "00322"], "ambiguous"),
        (["--district", "002"], ["00004", "00070", "00082", "00097", "00226"], "ambiguous"),
        (["--code", "00004", "--scheme", NEW, "--to", OLD, "--at", "2026-01-01"], ["00004"],
         "exact"),
    ],
)  # fmt: skip
def test_what_is_found(capsys, words, codes, resolution):
    answer = resolved(capsys, *words)
    assert [unit["code"] for unit in answer["candidates"]] == codes
    assert answer["resolution"] == resolution


@pytest.mark.parametrize("words", [["--code", "99999"], ["--name", "Tokyo"], ["--district", "999"]])
def test_what_is_unknown_is_exit_code_1(capsys, words):
    assert main(["area", "resolve", *words]) == 1
    out = capsys.readouterr().out
    assert out.startswith("unknown")
    assert "note: " in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to look up"),
        (["--code", "70"], "'70' is no code"),
        (["--code", "0007O"], "is no code"),
        (["--code", "\u0660\u0660\u0660\u0667\u0660"], "is no code"),
        (["--code", "00070", "--name", "x"], "a code needs no name"),
        (["--name", " "], "--name: empty"),
        (["--code", "00070", "--scheme", "gso"], "no scheme is named 'gso'"),
        (["--code", "00070", "--to", "gso"], "no scheme is named 'gso'"),
        (["--code", "00070", "--at", "yesterday"], "--at: 'yesterday' is no time"),
        (["--point", "105.85"], "is not LON,LAT"),
        (["--point", "x,y"], "is not LON,LAT"),
        (["--point", "nan,21.0"], "is no position"),
        (["--point", "21.0287,105.8522"], "axes swapped"),
        (["--point", "588383.929,2326366.344"], "EPSG:5897"),
        (["--point", "105852200,21028700"], "degrees-e6"),
    ],
)
def test_wrong_input_is_exit_code_2(capsys, words, said):
    assert main(["area", "resolve", *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "To mend it: " in err


@pytest.mark.parametrize("words", [["--point", HERE], ["--code", "00013", "--point", HERE]])
def test_a_point_without_boundaries_is_exit_code_3(capsys, words):
    assert main(["area", "resolve", *words]) == 3
    assert "hub area import FILE.geojson" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_exit_code_2(capsys):
    assert main(["area", "import", "none.geojson"]) == 2
    assert "none.geojson" in capsys.readouterr().err


def test_a_file_with_problems_is_exit_code_1_and_imports_nothing(capsys, tmp_path, site):
    file = tmp_path / "two.geojson"
    ring = [[105.4, 20.7], [105.41, 20.71], [105.41, 20.7], [105.4, 20.71], [105.4, 20.7]]
    bow_tie = {"type": "Polygon", "coordinates": [ring]}
    features = [{"type": "Feature", "properties": {"code": "00004"}, "geometry": bow_tie}]
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    assert main(["area", "import", str(file), "--json"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (lines[0]["problem"], lines[0]["codes"]) == ("invalid", ["00004"])
    assert [line["problem"] for line in lines[1:-1]] == ["missing"] * 125
    assert (lines[-1]["problems"], lines[-1]["written"]) == (126, None)
    assert main(["area", "import", str(file)]) == 1
    assert "nothing was written" in capsys.readouterr().out
    assert not folder_of(site).exists()


@needs_geo
def test_imported_polygons_answer_points(capsys, site):
    file = str(GEO / "hanoi-wards-2025-07.geojson")
    assert main(["area", "import", file]) == 0
    out = capsys.readouterr().out
    assert "126 of 126 units" in out
    assert "0 problems" in out
    assert Imported.load(site).schemes == {NEW}

    answer = resolved(capsys, "--point", HERE)
    assert [unit["code"] for unit in answer["candidates"]] == ["00070"]
    assert (answer["method"], answer["resolution"]) == ("point", "by_position")
    split = resolved(capsys, "--code", "00070", "--scheme", OLD, "--point", "105.8467,21.0229")
    assert [unit["code"] for unit in split["candidates"]] == ["00082"]
    assert split["resolution"] == "by_position"

    assert main(["area", "resolve", "--point", "106.7,10.78"]) == 1
    assert "the point lies in no unit" in capsys.readouterr().out
