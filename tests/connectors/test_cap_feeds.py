"""CAP in feeds, lists, wrappers and JSON: what holds an alert, tells of one, or only links."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.cap import parse
from hub.connector import Area, Event, Nothing, Options, Payload, Rejection
from hub.errors import PayloadError

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests/samples/cap"
SHARED = ROOT.parent / "shared/samples/alert"
AT = datetime(2026, 11, 20, 12, 45, tzinfo=UTC)
FIELDS = {
    "identifier": "A-1",
    "sender": "ttcb@hanoi.example",
    "sent": "2026-11-20T14:00:00+07:00",
    "status": "Actual",
    "msgType": "Alert",
    "scope": "Public",
}


def outcomes(body, received_at=AT):
    body = body if isinstance(body, bytes) else body.encode()
    return list(parse(Payload(body=body, received_at=received_at), Options()))


def alert(inner="", **fields):
    texts = "".join(f"<{name}>{text}</{name}>" for name, text in (FIELDS | fields).items())
    return f"<alert>{texts}{inner}</alert>"


def feed(*entries):
    return f"<feed>{''.join(f'<entry>{entry}</entry>' for entry in entries)}</feed>"


def told(identifier, area, **more):
    fields = FIELDS | {"identifier": identifier, "event": "Mưa", "areaDesc": area} | more
    fields["message_type"] = fields.pop("msgType")
    return "".join(f"<{name}>{text}</{name}>" for name, text in fields.items() if text)


# What must come out of each file, worked out by reading it.
EXPECTED = {
    "cap_feed/amber.atom.xml": ["http://doj.dc.gov/amber12345"],
    "cap_feed/earthquake_index.atom.xml": [Nothing],
    "cap_feed/empty_weather_index.atom.xml": [Nothing],
    "cap_feed/meteoalarm_poland.atom.xml": [
        "2.49.0.0.616.0.PL.230427122201.PL805_00731",
        "2.49.0.0.616.0.PL.230427073134.PL804_00821",
    ],
    "edxl_de/bushfire_valid.xml": [
        f"tag:www.rfs.nsw.gov.au2011-10-18:{number}"
        for number in (40500, 40444, 40394, 40428, 40484, 40487, 40435)
    ],
    "cap/google_australia.xml": ["tag:www.rfs.nsw.gov.au2011-10-06:40184"],
    "cap/google_canada.xml": ["2.49.0.1.124.6bddbc91.2012"],
    "cap/google_earthquake.xml": ["USGS-earthquakes-us2010apcd.6.20100831T000925.496Z"],
    "cap/google_invalid.xml": ["missing-field"],
    "cap/google_no_optional_fields.xml": ["USGS-earthquakes-us2010apcd.6.20100831T000925.496Z"],
    "cap/google_weather.xml": [
        "NOAA-NWS-ALERTS-MT20100830100700TFXFlashFloodWatchTFX20100830180000MT"
    ],
    "cap/oasis_amber_alert.xml": ["KAR0-0306112239-SW"],
    "cap/pagasa_20150806_alert_signed.xml": ["6e8cb0c9-e44e-4c75-8b74-bd1974680833"],
    "cap/sambro_myanmar_flood_bom.xml": ["MyanmarDMH-2.49.0.0.104.0-20150910-058-alert"],
    "cap/sambro_philippines_flood.xml": ["PHIVOLS-DOST-2.49.0.0.608.0-20150910-046-alert"],
    "cap/sambro_severe_thunderstorm.xml": ["KSTO1055887203"],
    "cap/taiwan_dgpa_closure.xml": ["dgpa.gov.tw_workSchlClos_20260822141104_i_6403700_001"],
}


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", EXPECTED)
def test_every_shared_sample_gives_what_is_written_of_it(name):
    found = outcomes((SHARED / name).read_bytes())
    shown = [
        each.native_id
        if isinstance(each, Event)
        else (each.code if isinstance(each, Rejection) else type(each))
        for each in found
    ]
    assert EXPECTED[name] == shown


@pytest.mark.skipif(not SHARED.exists(), reason="the shared samples are not beside the project")
def test_no_shared_sample_is_forgotten():
    folders = ("cap", "cap_feed", "edxl_de")
    files = {f"{folder}/{file.name}" for folder in folders for file in SHARED.glob(f"{folder}/*")}
    assert set(EXPECTED) == {name for name in files if not name.endswith("SOURCES.tsv")}


def test_one_bad_alert_of_a_feed_does_not_lose_its_neighbours():
    found = outcomes((OWN / "5_feed.atom.xml").read_bytes())
    assert [type(each) for each in found] == [Event, Rejection, Nothing, Event]
    assert found[1].path == "entry[1]/alert/scope"


def test_the_author_of_a_feed_never_leaves_it():
    assert "Bịa" not in str(outcomes((OWN / "5_feed.atom.xml").read_bytes()))


def test_a_link_alone_is_nothing_and_names_the_alerts_address():
    page = '<link href="https://a.example/tin" type="text/html"/>'
    cap = '<link href="https://a.example/9" type="application/cap+xml"/>'
    (found,) = outcomes(feed(page + cap))
    assert found == Nothing(why="a link to an alert, not the alert: https://a.example/9")


@pytest.mark.parametrize(
    "item",
    [
        "<link>https://a.example/9</link>",
        '<enclosure url="https://a.example/9"/>',
        "<guid>https://a.example/9</guid>",
    ],
)
@pytest.mark.parametrize("around", ["<rss><channel>{}</channel></rss>", "<RDF>{}</RDF>"])
def test_rss_links_in_its_own_ways(item, around):
    (found,) = outcomes(around.format(f"<item>{item}</item>"))
    assert found.why.endswith("https://a.example/9")


def test_an_rss_item_may_hold_the_alert_and_its_date_is_the_publication():
    item = f"<pubDate>Fri, 20 Nov 2026 14:05:00 +0700</pubDate>{alert()}"
    (event,) = outcomes(f"<rss><channel><item>{item}</item></channel></rss>")
    assert datetime(2026, 11, 20, 7, 5, tzinfo=UTC) == event.published_at
    assert datetime(2026, 11, 20, 7, tzinfo=UTC) == event.observed_at


def test_an_entry_with_nothing_in_it_is_refused():
    (found,) = outcomes(feed("<title>Mưa</title>"))
    assert (found.code, found.path) == ("entry-empty", "entry[0]")


def test_an_alert_as_text_is_read_and_a_broken_one_costs_only_its_entry():
    texts = [f"<content><![CDATA[{body}]]></content>" for body in (alert(), alert()[:-9])]
    first, second = outcomes(feed(*texts))
    assert (first.native_id, second.code, second.path) == ("A-1", "malformed", "entry[1]")


def test_an_empty_feed_is_an_all_clear_but_a_login_page_is_none():
    assert "all clear" in outcomes("<feed/>")[0].why
    assert "all clear" in outcomes("<rss><channel/></rss>")[0].why
    assert "all clear" in outcomes("[]")[0].why
    assert "all clear" in outcomes('{"alerts": []}')[0].why
    assert outcomes("<html><body>Đăng nhập</body></html>")[0].code == "not-cap"
    assert outcomes("<WarningMessage>no key</WarningMessage>")[0].code == "not-cap"
    with pytest.raises(PayloadError):
        outcomes(b"<feed><entry>")


def test_one_alert_in_many_entries_of_an_index_is_folded_to_one_event():
    event, other = outcomes((OWN / "6_index.atom.xml").read_bytes())[::-1]
    assert isinstance(other, Nothing)
    assert [info["language"] for info in event.body["infos"]] == ["vi", "en"]
    areas = [area["description"] for area in event.body["infos"][0]["areas"]]
    assert areas == ["Phường Láng", "Phường Đống Đa"]
    assert event.quality_flags == ("index_only", "sender_missing")


def test_an_index_of_381_entries_and_21_identifiers_gives_21_events():
    entries = [told(f"id-{number % 21}", f"Vùng {number}") for number in range(381)]
    found = outcomes(feed(*entries))
    assert len(found) == 21
    assert sum(len(e.body["infos"][0]["areas"]) for e in found) == 381


def test_an_index_and_its_alert_have_one_subject():
    (index,) = outcomes(feed(told("A-1", "Láng")))
    (whole,) = outcomes(alert())
    assert index.subject == whole.subject


def test_pairs_in_one_geocode_element_are_lists_of_codes():
    pairs = "<valueName>UGC</valueName><value>HNZ001 HNZ002</value>"
    pairs += "<valueName>FIPS6</valueName><value>000199</value>"
    entry = told("A-1", "Láng") + f"<geocode>{pairs}</geocode>"
    (event,) = outcomes(feed(entry))
    assert event.areas_reported == (
        Area(scheme="UGC", code="HNZ001", name="Láng"),
        Area(scheme="UGC", code="HNZ002", name="Láng"),
        Area(scheme="FIPS6", code="000199", name="Láng"),
    )


def test_the_same_alert_again_is_nothing_and_other_content_is_kept_and_flagged():
    first, again, other = outcomes(f"<list>{alert()}{alert()}{alert(note='Sửa')}</list>")
    assert first.quality_flags == ()
    assert "same alert" in again.why
    assert (other.subject, other.quality_flags) == (first.subject, ("identifier_reused",))


def test_an_envelope_that_withdraws_an_alert_of_the_same_document_is_no_repeat():
    content = f"<xmlContent><embeddedXMLContent>{alert()}</embeddedXMLContent></xmlContent>"
    first, second = (
        f"<EDXLDistribution><distributionType>{kind}</distributionType>"
        f"<contentObject>{content}</contentObject></EDXLDistribution>"
        for kind in ("Report", "Cancel")
    )
    found = outcomes(f"<list>{first}{second}{second}</list>")
    assert [getattr(each, "lifecycle", "") for each in found] == ["NEW", "CANCELLED", ""]
    assert "identifier_reused" not in found[1].quality_flags


def test_alerts_in_any_wrapper_are_found():
    soap = f"<s:Envelope xmlns:s='urn:s'><s:Body>{alert()}{alert(scope='')}</s:Body></s:Envelope>"
    event, refused = outcomes(soap)
    assert (event.native_id, refused.path) == ("A-1", "Envelope/alert[1]/scope")
    assert outcomes(f"<wrapper>{feed(alert())}</wrapper>")[0].native_id == "A-1"


def test_a_test_distribution_makes_its_actual_alert_a_test():
    content = f"<xmlContent><embeddedXMLContent>{alert()}</embeddedXMLContent></xmlContent>"
    body = "<distributionStatus>Test</distributionStatus>"
    body += f"<contentObject>{content}</contentObject>"
    assert outcomes(f"<EDXLDistribution>{body}</EDXLDistribution>")[0].status == "TEST"


def test_json_mirrors_give_the_event_of_their_xml():
    block = {"language": "vi", "category": ["Met"], "event": "Mưa", "severity": "Minor"}
    block["area"] = [{"areaDesc": "Láng", "polygon": "21.0,105.8 21.1,105.8 21.0,105.9"}]
    area = "<areaDesc>Láng</areaDesc><polygon>21.0,105.8 21.1,105.8 21.0,105.9</polygon>"
    inner = "<language>vi</language><category>Met</category><event>Mưa</event>"
    inner += f"<severity>Minor</severity><area>{area}</area>"
    (xml,) = outcomes(alert(f"<info>{inner}</info>"))
    for shape in (FIELDS | {"info": [block]}, {"alert": FIELDS | {"info": block}}):
        for document in (shape, [shape], {"alerts": [shape]}):
            assert outcomes(json.dumps(document)) == [xml]


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"link": {"@rel": "alternate", "@href": "https://a.example/1.cap"}}, "/1.cap"),
        ({"link": [{"href": "https://a.example/2.cap"}]}, "/2.cap"),
        ({"url": "https://a.example/3.cap"}, "/3.cap"),
        ({"id": "mow.VN-7", "version": 3}, "mow.VN-7"),
    ],
)
def test_a_json_list_of_links_names_each(item, told):
    (found,) = outcomes(json.dumps({"entry": [item]}))
    assert found.why.endswith(told)


def test_a_localised_stamp_of_a_json_mirror_is_read():
    fields = FIELDS | {"sent": "2026/11/20 下午 02:00:00"}
    (event,) = outcomes(json.dumps(fields))
    assert datetime(2026, 11, 20, 7, tzinfo=UTC) == event.observed_at
    assert event.time_quality == "ASSUMED_ZONE"


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("THIS IS A DRILL", ("drill_suspected",)),
        ("Diễn tập chữa cháy", ("drill_suspected",)),
        ("Exercise caution on wet roads", ()),
        ("Kiểm tra đê", ()),
    ],
)
def test_a_drill_that_says_actual_stays_live_with_a_flag(text, flags):
    (event,) = outcomes(alert(f"<info><headline>{text}</headline></info>"))
    assert (event.status, event.quality_flags) == ("LIVE", flags)


def test_an_update_before_its_alert_names_it_all_the_same():
    update = alert(msgType="Update", identifier="A-2", references="x,A-1,2026-11-20T14:00:00+07:00")
    later, earlier = outcomes(feed(update, alert()))
    assert [reference["subject"] for reference in later.body["references"]] == [earlier.subject]


def test_ten_thousand_entries_are_read_in_one_pass():
    found = outcomes(feed(*(alert(identifier=f"A-{n}", scope="") for n in range(10_000))))
    assert {each.code for each in found} == {"missing-field"}
    assert found[-1].path == "entry[9999]/alert/scope"
