"""Points in boundaries: every one in exactly one unit, whatever edge it lies on."""

import json

import numpy as np
import pytest
import shapely
from area_facts import GEO, NEW, OLD, needs_geo, wards
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.areas import geojson
from hub.areas.points import Imported, build, metres
from hub.areas.site import folder_of
from hub.areas.tables import shipped
from hub.errors import ConfigError, EnvironmentNotReadyError, PayloadError

WEST, SOUTH, STEP = 105.8, 21.0, 0.01
M_LON, M_LAT = shapely.get_coordinates(metres(shapely.Point(1, 1)))[0]


def square(column, row, *, shrunk_m=0.0):
    west, south = WEST + column * STEP, SOUTH + row * STEP
    by = shrunk_m / M_LON
    return shapely.box(west + by, south, west + STEP - by, south + STEP)


SQUARES = {
    f"{10 * row + column:05d}": square(column, row) for row in range(4) for column in range(4)
}
# Saw-toothed edges that both neighbours share vertex by vertex.
TEETH = [(0.5 + 0.1 * (-1) ** i, i / 20) for i in range(21)]
SAW_WEST = shapely.Polygon([(0, 0), *TEETH, (0, 1)])
SAW_EAST = shapely.Polygon([(1, 0), *TEETH, (1, 1)])


def in_hanoi(shape):
    return shapely.transform(shape, lambda c: np.array([WEST, SOUTH]) + c * np.array([0.04, 0.04]))


GRID = build(NEW, list(SQUARES), list(SQUARES.values()))
SAW = build(NEW, ["00002", "00001"], [in_hanoi(SAW_EAST), in_hanoi(SAW_WEST)])


def located(boundaries, lon, lat):
    found = boundaries.locate_many(np.atleast_1d(lon), np.atleast_1d(lat))
    return [None if each < 0 else boundaries.codes[each] for each in found]


def test_a_point_inside_is_in_its_unit():
    for code, shape in SQUARES.items():
        centre = shape.centroid
        assert GRID.locate(centre.x, centre.y) == code
        assert located(GRID, centre.x, centre.y) == [code]


def test_a_corner_of_four_units_is_in_the_lowest_code_only():
    lon, lat = shapely.get_coordinates(SQUARES["00000"].intersection(SQUARES["00011"]))[0]
    having = [code for code, shape in SQUARES.items() if shapely.intersects_xy(shape, lon, lat)]
    assert len(having) == 4
    assert GRID.locate(lon, lat) == min(having) == "00000"


@pytest.mark.parametrize("part", np.linspace(0, 1, 21).tolist())
def test_a_point_on_a_shared_edge_is_in_exactly_one_unit(part):
    edge = shapely.get_coordinates(SQUARES["00000"].intersection(SQUARES["00001"]))
    lon, lat = edge[0] + part * (edge[1] - edge[0])
    assert GRID.locate(float(lon), float(lat)) == "00000"
    assert located(GRID, lon, lat) == ["00000"]


@settings(deadline=None)
@given(x=st.floats(0.001, 0.999), y=st.floats(0.001, 0.999))
def test_two_units_with_a_ragged_edge_leave_no_gap_and_share_no_point(x, y):
    lon, lat = WEST + 0.04 * x, SOUTH + 0.04 * y
    having = [
        code
        for code, shape in (("00001", SAW_WEST), ("00002", SAW_EAST))
        if shapely.intersects_xy(in_hanoi(shape), lon, lat)
    ]
    assert having
    assert SAW.locate(lon, lat) == having[0]
    assert located(SAW, lon, lat) == [having[0]]


def test_every_vertex_of_a_ragged_edge_is_in_the_lower_code():
    vertices = shapely.get_coordinates(shapely.intersection(*map(in_hanoi, (SAW_WEST, SAW_EAST))))
    assert len(vertices) >= len(TEETH)
    assert set(located(SAW, vertices[:, 0], vertices[:, 1])) == {"00001"}


GAPPED = build(NEW, ["00001", "00002"], [square(0, 0, shrunk_m=1.4), square(1, 0, shrunk_m=1.4)])


@settings(deadline=None)
@given(east_m=st.floats(-1.39, 1.39), north=st.floats(0.1, 0.9))
def test_a_point_in_a_hairline_gap_is_in_the_nearest_unit(east_m, north):
    lon, lat = WEST + STEP + east_m / M_LON, SOUTH + north * STEP
    wanted = "00001" if east_m < 0 else "00002"
    # In the very middle rounding decides.
    if abs(east_m) > 1e-6:
        assert GAPPED.locate(lon, lat) == wanted
    assert [GAPPED.locate(lon, lat)] == located(GAPPED, lon, lat)
    assert GAPPED.locate(lon, lat) is not None


@pytest.mark.parametrize("east_m", [-1.5, -0.1, 0.0, 1.5])
def test_a_wider_gap_is_outside(east_m):
    wide = build(NEW, ["00001", "00002"], [square(i, 0, shrunk_m=1.6) for i in range(2)])
    lon, lat = WEST + STEP + east_m / M_LON, SOUTH + STEP / 2
    assert wide.locate(lon, lat) is None
    assert located(wide, lon, lat) == [None]


@pytest.mark.parametrize("metres_out", [0.01, 2.9, 3.2, 5000.0])
def test_beyond_the_city_s_border_there_is_no_unit(metres_out):
    lon, lat = WEST - metres_out / M_LON, SOUTH + STEP / 2
    assert GRID.locate(lon, lat) is None
    assert located(GRID, lon, lat) == [None]


def test_a_hole_is_outside():
    ring = square(0, 0).difference(shapely.box(105.803, 21.003, 105.807, 21.007))
    boundaries = build(NEW, ["00001"], [ring])
    assert boundaries.locate(105.805, 21.005) is None
    assert boundaries.locate(105.801, 21.005) == "00001"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300, -1e300, 0.0])
def test_what_is_no_position_is_in_no_unit(bad):
    for lon, lat in ((bad, 21.005), (105.805, bad), (bad, bad)):
        assert GRID.locate(lon, lat) is None
        assert located(GRID, lon, lat) == [None]


def test_no_points_are_no_answers():
    assert GRID.locate_many(np.array([]), np.array([])).tolist() == []


class TestTheFile:
    """What is imported once and shared by all workers."""

    def test_it_gives_the_same_answers_after_loading(self, tmp_path):
        SAW.save(folder_of(tmp_path))
        loaded = Imported.load(tmp_path).by_scheme[NEW]
        rng = np.random.default_rng(3)
        lon, lat = WEST + 0.05 * rng.random(2_000), SOUTH + 0.05 * rng.random(2_000)
        assert (loaded.locate_many(lon, lat) == SAW.locate_many(lon, lat)).all()
        assert loaded.codes == SAW.codes

    def test_its_arrays_are_a_read_only_mapping(self, tmp_path):
        SAW.save(folder_of(tmp_path))
        loaded = Imported.load(tmp_path).by_scheme[NEW]
        for array in (loaded.grid, loaded.starts, loaded.units, loaded.coordinates):
            assert not array.flags.writeable
            assert not array.flags.owndata

    def test_a_second_import_replaces_it_and_leaves_no_other_file(self, tmp_path):
        SAW.save(folder_of(tmp_path))
        in_use = Imported.load(tmp_path)
        assert GRID.save(folder_of(tmp_path)) == folder_of(tmp_path) / f"{NEW}.boundaries"
        # Who has the first one open keeps it.
        assert in_use.by_scheme[NEW].locate(WEST + 0.001, SOUTH + 0.001) == "00001"
        assert Imported.load(tmp_path).by_scheme[NEW].codes == GRID.codes
        assert [path.name for path in folder_of(tmp_path).iterdir()] == [f"{NEW}.boundaries"]

    def test_each_scheme_has_its_own(self, tmp_path):
        SAW.save(folder_of(tmp_path))
        build(OLD, ["00004"], [square(0, 0)]).save(folder_of(tmp_path))
        imported = Imported.load(tmp_path)
        assert imported.schemes == {OLD, NEW}
        assert imported.locate(OLD, (105.801, 21.001)) == "00004"

    def test_nothing_imported_is_no_boundaries(self, tmp_path):
        assert Imported.load(tmp_path).schemes == frozenset()

    @pytest.mark.parametrize("at", [0, 20, -1, "cut", "empty"])
    def test_a_broken_file_is_refused_by_name(self, tmp_path, at):
        path = SAW.save(folder_of(tmp_path))
        content = bytearray(path.read_bytes())
        if at in ("cut", "empty"):
            content = content[: len(content) // 2] if at == "cut" else b""
        else:
            content[at] ^= 0xFF
        path.write_bytes(content)
        with pytest.raises(EnvironmentNotReadyError) as caught:
            Imported.load(tmp_path)
        assert caught.value.where == str(path)
        assert "hub area import" in caught.value.fix

    def test_a_folder_that_can_not_be_written_is_said(self, tmp_path):
        (tmp_path / "areas").write_text("a file where the folder should be")
        with pytest.raises(EnvironmentNotReadyError, match="can't write it"):
            SAW.save(folder_of(tmp_path))


def collection(features):
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def feature(code, shape, **properties):
    geometry = None if shape is None else json.loads(shapely.to_geojson(shape))
    return {"type": "Feature", "properties": {"code": code, **properties}, "geometry": geometry}


def all_units(scheme=NEW):
    """A square for each unit, none beside another."""
    return [
        feature(unit.code, shapely.box(x, y, x + 0.01, y + 0.01))
        for number, unit in enumerate(shipped().communes(scheme))
        for x, y in [(105.4 + 0.02 * (number % 25), 20.7 + 0.02 * (number // 25))]
    ]


def kinds(features, **options):
    checked = geojson.check(collection(features), shipped(), NEW, **options)
    assert (checked.boundaries is None) == bool(checked.problems)
    return [(problem.kind, problem.codes) for problem in checked.problems]


def test_a_whole_collection_becomes_boundaries():
    checked = geojson.check(collection(all_units()), shipped(), NEW)
    assert checked.problems == ()
    assert (checked.found, checked.wanted) == (126, 126)
    assert checked.boundaries.locate(105.405, 20.705) == "00004"


def test_boundaries_of_the_old_scheme_can_be_imported_too():
    assert geojson.check(collection(all_units(OLD)), shipped(), OLD).boundaries is not None


def test_a_code_may_stand_in_another_property():
    features = [
        {**each, "properties": {"ma_xa": each["properties"]["code"]}} for each in all_units()
    ]
    assert kinds(features, code_property="ma_xa") == []
    assert kinds(features)[0] == ("feature", ())


BOW_TIE = shapely.Polygon([(105.4, 20.7), (105.41, 20.71), (105.41, 20.7), (105.4, 20.71)])


@pytest.mark.parametrize(
    ("changed", "problems"),
    [
        (feature("00004", BOW_TIE), [("invalid", ("00004",))]),
        (feature("00004", None), [("geometry", ("00004",))]),
        (feature("00004", shapely.Point(105.4, 20.7)), [("geometry", ("00004",))]),
        (feature("00004", shapely.Polygon()), [("geometry", ("00004",))]),
        (feature("00004", shapely.box(20.7, 105.4, 20.71, 105.41)), [("outside", ("00004",))]),
        (feature("00004", shapely.box(2e6, 5e5, 2.1e6, 6e5)), [("outside", ("00004",))]),
        (feature("00005", shapely.box(105.4, 20.7, 105.41, 20.71)),
         [("code", ("00005",)), ("missing", ("00004",))]),
        (feature("00008", shapely.box(105.4, 20.7, 105.41, 20.71)),
         [("double", ("00008",)), ("missing", ("00004",))]),
        (feature(4, shapely.box(105.4, 20.7, 105.41, 20.71)),
         [("feature", ()), ("missing", ("00004",))]),
        (feature("00004", shapely.box(105.4, 20.7, 105.421, 20.71)),
         [("overlap", ("00004", "00008"))]),
        ("nothing", [("feature", ()), ("missing", ("00004",))]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_one_unit_is_named_and_nothing_is_imported(changed, problems):
    assert kinds([changed, *all_units()[1:]]) == problems


def test_an_overlap_of_a_hair_is_no_problem():
    hair = 2.5 / M_LON
    features = all_units()
    features[0] = feature("00004", shapely.box(105.4, 20.7, 105.42 + hair, 20.71))
    assert kinds(features) == []


def test_swapped_axes_are_told_in_words():
    swapped = feature("00004", shapely.box(20.7, 105.4, 20.71, 105.41))
    checked = geojson.check(collection([swapped, *all_units()[1:]]), shipped(), NEW)
    assert "axes swapped" in checked.problems[0].text


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"features": []}', b"\xff", b"1"])
def test_what_is_no_feature_collection_is_refused(body):
    with pytest.raises(PayloadError):
        geojson.check(body, shipped(), NEW)


def test_an_unknown_scheme_is_refused():
    with pytest.raises(ConfigError, match="no scheme is named"):
        geojson.check(b"{}", shipped(), "gso")


@pytest.fixture(scope="module")
def published():
    body = (GEO / "hanoi-wards-2025-07.geojson").read_bytes()
    return geojson.check(body, shipped(), NEW).boundaries


@needs_geo
class TestThePublishedPolygons:
    """The 126 units in force, as they are published."""

    @pytest.mark.parametrize(
        ("lon", "lat", "code"),
        [
            (105.8522, 21.0287, "00070"),
            (105.8467, 21.0229, "00082"),
            (105.8290, 21.0312, "00025"),
            (105.8070, 21.2187, "00433"),
            (105.7700, 20.6010, "10489"),
            (105.8600, 21.0440, "00097"),
        ],
    )
    def test_known_points(self, published, lon, lat, code):
        assert published.locate(lon, lat) == code
        assert located(published, lon, lat) == [code]

    def test_ten_thousand_points_agree_with_a_plain_contains(self, published):
        rng = np.random.default_rng(20250701)
        lon, lat = rng.uniform(105.28, 106.02, 10_000), rng.uniform(20.56, 21.39, 10_000)
        codes, shapes = wards()
        plain = np.array([shapely.contains_xy(shape, lon, lat) for shape in shapes])
        assert (plain.sum(axis=0) <= 1).all()
        assert plain.any(axis=0).sum() > 4_000
        wanted = [codes[column.argmax()] if column.any() else None for column in plain.T]
        assert located(published, lon, lat) == wanted
        one_by_one = [published.locate(*point) for point in zip(lon, lat, strict=True)]
        assert one_by_one == wanted

    def test_every_vertex_is_in_the_lowest_code_that_has_it(self, published):
        codes, shapes = wards()
        vertices = np.unique(shapely.get_coordinates(shapes), axis=0)[::7]
        found = located(published, vertices[:, 0], vertices[:, 1])
        having = shapely.STRtree(shapes).query(shapely.points(vertices), predicate="intersects")
        lowest = {}
        for vertex, unit in having.T:
            lowest[vertex] = min(lowest.get(vertex, "99999"), codes[unit])
        assert found == [lowest[vertex] for vertex in range(len(vertices))]

    def test_points_along_shared_edges_are_in_one_of_the_two(self, published):
        codes, shapes = wards()
        one, other = shapely.STRtree(shapes).query(shapes, predicate="touches")
        tried = 0
        for a, b in zip(one[::9], other[::9], strict=True):
            shared = shapely.intersection(shapes[a], shapes[b])
            on_it = shapely.line_interpolate_point(
                shapely.line_merge(shared), np.linspace(0.01, 0.99, 9), normalized=True
            )
            at = shapely.get_coordinates(on_it)
            found = located(published, at[:, 0], at[:, 1])
            # Where three meet it may be the third, lower one.
            assert set(found) <= {codes[a], codes[b]}
            tried += len(found)
        assert tried > 500
