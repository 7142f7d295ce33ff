"""XML of any length: the same slices however it is cut, marks and encodings, bounds."""

import tracemalloc
from itertools import chain, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._formats import xml_slices
from connectors._formats.xml import parse_xml
from connectors._formats.xml_slices import XmlSlices
from hub.errors import PayloadError

ITEM = frozenset({"item"})
DOCUMENT = (
    "<n:list xmlns:n='urn:x'><n:head>Đê Tô Hoàng</n:head>"
    "<n:item no='1'>phố Huế</n:item><n:item no='2'><n:part>é</n:part></n:item><tail/></n:list>"
)


def slices(pieces):
    sliced = XmlSlices(pieces, ITEM)
    found = [
        (parent.name, parent.value("head"), item.attr("no"), item.text, item.value("part"))
        for parent, item in sliced
    ]
    return found, [child.name for child in sliced.root.children]


def code_of(pieces):
    with pytest.raises(PayloadError) as caught:
        slices(pieces)
    return caught.value.code


WHOLE = (
    [("list", "Đê Tô Hoàng", "1", "phố Huế", ""), ("list", "Đê Tô Hoàng", "2", "", "é")],
    ["head", "tail"],
)


def test_each_slice_comes_with_its_parent_and_is_gone_afterwards():
    assert slices([DOCUMENT.encode()]) == WHOLE


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(0, 220), max_size=12),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]),
    st.sampled_from(["", "<?xml version='1.0'?>", "<?xml version='1.0' encoding='ISO-8859-1'?>"]),
)
def test_neither_cuts_nor_marks_nor_a_wrong_declaration_change_the_slices(cuts, codec, declared):
    body = (declared + DOCUMENT).encode(codec)
    places = [0, *sorted(cuts), len(body)]
    assert slices(body[a:b] for a, b in pairwise(places)) == WHOLE


@pytest.mark.parametrize("step", [1, 7, 64, 5_000])
@pytest.mark.parametrize("codec", ["iso-8859-1", "cp1258", "gb18030", "cp1252"])
def test_a_declared_encoding_counts_where_the_bytes_are_no_utf_8(codec, step):
    items = "<item no='1'>caf\u00e9</item>" * 99
    body = f"<?xml version='1.0' encoding='{codec}'?><a>{items}</a>".encode(codec)
    found, _ = slices(body[at : at + step] for at in range(0, len(body), step))
    assert [item[3] for item in found] == ["café"] * 99


def test_bytes_that_are_not_what_they_declare_are_an_error():
    assert code_of([b"<?xml version='1.0' encoding='gbk'?><a>\xff\xff</a>"]) == "encoding"
    assert code_of([b"<a>\xff</a>"]) == "malformed"


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("step", [1, 5, 4_096])
def test_a_dtd_is_refused_in_any_encoding_and_any_pieces(codec, step):
    body = "<!DOCTYPE a [<!ENTITY b 'c'>]><a><item>&b;</item></a>".encode(codec)
    assert code_of(body[at : at + step] for at in range(0, len(body), step)) == "xml-entities"


def test_a_document_without_slices_is_its_root():
    found, left = slices([b"<a><b/></a>"])
    assert (found, left) == ([], ["b"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed"),
        (b"<a>", "malformed"),
        (b"<a>" * 65 + b"</a>" * 65, "too-deep"),
    ],
)
def test_what_is_no_document_or_too_deep_is_refused(body, code):
    assert code_of([body]) == code


def test_width_is_bounded(monkeypatch):
    monkeypatch.setattr(xml_slices, "_MAX_ELEMENTS", 999)
    assert code_of([b"<a>" + b"<b/>" * 999 + b"</a>"]) == "too-large"
    assert len(slices([b"<a>" + b"<item/>" * 999, b"<item/>" * 999 + b"</a>"])[0]) == 1_998


def test_of_slices_inside_each_other_the_outermost_is_one():
    found, _ = slices([b"<a><item no='1'><item no='2'/></item><b><item no='3'/></b></a>"])
    assert [item[2] for item in found] == ["1", "3"]


def test_a_slice_that_never_ends_is_given_up():
    endless = (b"<a><item>" if at == 0 else b"x" * 65_536 for at in range(10_000))
    assert code_of(endless) == "too-large"


def test_memory_holds_a_slice_and_not_the_document():
    slice_ = b"<item no='1'>" + b"<part>x</part>" * 40 + b"</item>"
    tracemalloc.start()
    pieces = chain((b"<a>",), (slice_ * 100 for _ in range(24)), (b"</a>",))
    sliced = XmlSlices(pieces, ITEM)
    assert sum(1 for _ in sliced) == 2_400
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_slices_are_nodes_like_those_of_the_whole_document():
    whole = parse_xml(DOCUMENT.encode()).findall("item")
    sliced = [(item.name, item.text) for _, item in XmlSlices([DOCUMENT.encode()], ITEM)]
    assert sliced == [(item.name, item.text) for item in whole]
