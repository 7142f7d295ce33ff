"""The XML reader: what it refuses, what it mends, and how nodes are asked."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._formats.xml import Node, as_values, parse_xml
from hub.errors import PayloadError

NESTED = """<?xml version="1.0"?>
<r:doc xmlns:r="urn:one" xmlns:x="http://www.w3.org/2001/XMLSchema-instance" xmlns:q="urn:two">
  <r:list><q:item r:no="1">Cầu</q:item><item no="2"> Chương Dương </item></r:list>
  <r:list><item x:type="q:Bridge" type="other"/></r:list>
  <empty/>
</r:doc>"""


def code_of(body, **limits):
    with pytest.raises(PayloadError) as caught:
        parse_xml(body, **limits)
    return caught.value.code


def test_nodes_are_asked_by_local_names_whatever_the_prefixes():
    root = parse_xml(NESTED.encode())
    assert root.name == "doc"
    assert [node.text for node in root.findall("list/item")] == ["Cầu", "Chương Dương", ""]
    assert root.find("list/item").attr("no") == "1"
    assert root.value("list/item") == "Cầu"
    assert root.value("empty", "none") == root.value("list/nothing", "none") == "none"
    assert root.find("list/nothing") is None
    assert [node.name for node in root.children] == ["list", "list", "empty"]
    assert [node.attr("no") for node in root.descendants("item")] == ["1", "2", ""]


def test_two_prefixes_of_one_namespace_are_one():
    body = (
        b"<a:x xmlns:a='urn:u' xmlns:b='urn:u'><a:y>1</a:y><b:y>2</b:y><y xmlns='urn:u'>3</y></a:x>"
    )
    assert [node.text for node in parse_xml(body).findall("y")] == ["1", "2", "3"]


def test_a_path_counts_only_among_siblings_of_one_name():
    root = parse_xml(NESTED.encode())
    assert [node.path for node in root.findall("list/item")] == [
        "doc/list[0]/item[0]",
        "doc/list[0]/item[1]",
        "doc/list[1]/item",
    ]
    assert root.path == "doc"
    assert repr(root.find("empty")) == "Node(doc/empty)"


def test_the_type_is_the_local_part_of_xsi_type_only():
    items = parse_xml(NESTED.encode()).findall("list/item")
    assert [item.type_name for item in items] == ["", "", "Bridge"]
    assert items[2].attr("type") == "other"


def test_texts_are_composed():
    assert parse_xml("<a b='Ha\u0300'>Ha\u0300 No\u0323\u0302i</a>".encode()).text == "Hà Nội"
    assert parse_xml("<a b='Ha\u0300'/>".encode()).attr("b") == "Hà"


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?><a>\xc4\x91</a>",
        "\n <?xml version='1.0'?><a>đ</a>".encode(),
        "<a>đ</a>".encode("utf-16"),
        "<?xml version='1.0' encoding='UTF-16'?><a>đ</a>".encode("utf-16-le"),
        "<?xml version='1.0' encoding='UTF-16'?><a>đ</a>".encode("utf-16-be"),
        "<?xml version='1.0'?><a>đ</a>".encode("utf-32"),
        "<?xml version='1.0' encoding='UTF-16'?><a>đ</a>".encode(),
        "<?xml version='1.0' encoding='ISO-8859-1'?><a>đ</a>".encode(),
        "<?xml version='1.0' encoding='us-ascii'?><a>đ</a>".encode(),
        "<?xml version='1.0' encoding='no-such-thing'?><a>đ</a>".encode(),
        "<?xml version='1.1' encoding='zip'?><a>đ</a>".encode(),
        "<?xml version='1.0' encoding='windows-1258'?><a>đ</a>".encode("cp1258"),
    ],
)
def test_the_bytes_decide_when_the_declaration_is_wrong(body):
    assert parse_xml(body).text == "đ"


def test_a_right_declaration_is_honoured():
    assert parse_xml("<?xml version='1.0' encoding='latin1'?><a>é</a>".encode("latin1")).text == "é"
    body = "<?xml version='1.0' encoding='ISO-8859-1'?><a b='Ä'>é</a>".encode("iso-8859-1")
    assert (parse_xml(body).text, parse_xml(body).attr("b")) == ("é", "Ä")
    assert parse_xml("<?xml version='1.0' encoding='ascii'?><a>é</a>".encode("cp1252")).text == "é"
    assert (
        parse_xml("<?xml version='1.0' encoding='gb2312'?><a>河</a>".encode("gb2312")).text == "河"
    )


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("empty", b""),
        ("empty", b"\xef\xbb\xbf \n"),
        ("empty", b"<?xml version='1.0'?>"),
        ("malformed", b"<a"),
        ("malformed", b"<a></b>"),
        ("malformed", b"<a>&nbsp;</a>"),
        ("malformed", b"<p:a/>"),
        ("malformed", b"\x00\x01\x02"),
        ("malformed", b"<a>\xff</a>"),
        ("encoding", b"\xff\xfe<"),
        ("encoding", b"<?xml version='1.0' encoding='big5'?><a>\xff\xff</a>"),
        ("xml-entities", b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'),
        ("xml-entities", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>'),
        ("xml-entities", b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://invalid/">%x;]><a/>'),
        ("xml-entities", b'<!DOCTYPE a SYSTEM "http://invalid/a.dtd"><a/>'),
        ("malformed", b"<!DOCTYPE a>"),
        ("xml-entities", b'<!DOCTYPE a PUBLIC "-//A//B" "http://invalid/a.dtd"><a/>'),
        ("malformed", b"<!DOCTYPE a [<!ELEMENT a ANY>]>"),
        ("malformed", b"<!-- " + b"x" * 70_000),
    ],
)
def test_a_document_is_refused_with_a_code(code, body):
    assert code_of(body) == code


def test_a_billion_laughs_cost_nothing():
    lines = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
    body = f'<!DOCTYPE a [<!ENTITY l0 "ha">{lines}]><a>&l9;</a>'.encode()
    assert code_of(body) == "xml-entities"


def test_an_internal_dtd_with_attribute_defaults_is_harmless():
    root = parse_xml(b"<!DOCTYPE a [<!ATTLIST a unit CDATA 'kmh'>]><a/>")
    assert root.attr("unit") == "kmh"


def test_an_internal_dtd_can_not_multiply_its_defaults():
    body = b"<!DOCTYPE a [<!ATTLIST b c CDATA '" + b"x" * 9_999 + b"'>]><a>" + b"<b/>" * 9_999
    assert code_of(body + b"</a>") == "xml-entities"


def test_depth_is_limited_before_the_tree_exists():
    assert parse_xml(b"<a>" * 64 + b"</a>" * 64).name == "a"
    assert code_of(b"<a>" * 65 + b"</a>" * 65) == "too-deep"
    tracemalloc.start()
    assert code_of(b"<a>" * 100_000 + b"</a>" * 100_000) == "too-deep"
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_size_is_limited():
    assert code_of(b"<a>" + b" " * 100 + b"</a>", max_bytes=50) == "too-large"
    assert code_of(b"<a>" + b"<b/>" * 500_001 + b"</a>") == "too-large"


def test_a_large_document_is_read_like_a_small_one():
    root = parse_xml(b"<a>" + b"<n:b xmlns:n='u'>1</n:b>" * 10_000 + b"</a>")
    assert len(root.findall("b")) == 10_000


def test_xer_becomes_its_json_twin():
    body = b"<m><id>7</id><bits>0101</bits><list><v>1</v><v>-2</v></list><e><dark/></e><n/></m>"
    twin = as_values(parse_xml(body), lists=frozenset({"list"}), texts=frozenset({"bits"}))
    assert twin == {"id": 7, "bits": "0101", "list": [1, -2], "e": "dark", "n": None}


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300) | st.text("<>/ab&;'\"! [xml?-]=\n", max_size=200).map(str.encode))
def test_only_payload_errors_leave_the_reader(body):
    try:
        assert isinstance(parse_xml(body), Node)
    except PayloadError as error:
        assert error.code  # noqa: PT017 - the other outcome is as good
