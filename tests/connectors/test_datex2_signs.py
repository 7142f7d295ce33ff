"""Signs of DATEX II, and what its envelopes say of completeness."""

import json
from datetime import UTC, datetime

import pytest

from connectors.datex2 import Options, parse
from hub.connector import Event, Nothing, Payload, Rejection

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def outcomes(body):
    return list(parse(Payload(body=body.encode(), received_at=AT), Options()))


def publication(inner, kind="VmsPublication"):
    return (
        f'<payload xsi:type="v:{kind}" {XSI}>'
        f"<publicationTime>2026-11-20T12:00:00Z</publicationTime>{inner}</payload>"
    )


def unit(*signs, name="C1", more=""):
    return (
        f'<vmsControllerStatus><vmsControllerReference id="{name}"/>'
        f"<statusUpdateTime>2026-11-20T11:59:00Z</statusUpdateTime>{''.join(signs)}{more}"
        "</vmsControllerStatus>"
    )


def sign(inner, index=0, at="11:00"):
    time = f"<timeLastSet>2026-11-20T{at}:00Z</timeLastSet>"
    message = f'<vmsMessage messageIndex="0"><vmsMessage>{time}{inner}</vmsMessage></vmsMessage>'
    return f'<vmsStatus vmsIndex="{index}"><vmsStatus>{message}</vmsStatus></vmsStatus>'


def area(inner, kind="TextDisplay", index='displayAreaIndex="0"'):
    display = f'<displayAreaSettings xsi:type="v:{kind}">{inner}</displayAreaSettings>'
    return f"<displayAreaSettings {index}>{display}</displayAreaSettings>"


def page(number, *lines):
    return area("".join(lines), index=f'pageNumber="{number}"')


def line(text, index=0):
    inner = f"<textLine><textLine>{text}</textLine><lineColour>red</lineColour></textLine>"
    return f'<textLine lineIndex="{index}">{inner}</textLine>'


def shown(*areas):
    (event,) = outcomes(publication(unit(sign("".join(areas)))))
    return event


def lines(event):
    return [page["lines"] for page in event.body["pages"]]


def test_pages_and_lines_of_version_3_come_in_order_and_blanks_before_them_are_layout():
    text = page(2, line("B2", 1), line("  B1", 0)), page(1, line("A1"), line("A2", 1))
    assert lines(shown(area("".join(text), "MultiPageDisplay"))) == [["A1", "A2"], ["  B1", "B2"]]


def test_areas_of_version_3_are_pages_one_after_another():
    right = area(line("PHẢI"), index='displayAreaIndex="1"')
    assert lines(shown(right, area(line("TRÁI")))) == [["TRÁI"], ["PHẢI"]]


def test_a_pictogram_of_version_3_is_named_by_its_code():
    inner = "<pictogram><pictogramCode>W.204</pictogramCode></pictogram>"
    event = shown(area(inner, "PictogramDisplay"))
    assert (event.body["pictograms"], event.body["blank"]) == (["W.204"], False)


@pytest.mark.parametrize(
    "inner",
    [
        "",
        area("", "MultiPageDisplay"),
        area(f"<isBlank>true</isBlank>{line('CŨ')}"),
        area("<pictogram><pictogramDescription>blankVoid</pictogramDescription></pictogram>",
             "PictogramDisplay"),
        area(line("")),
    ],
)  # fmt: skip
def test_blank_is_a_dark_sign_in_all_its_spellings(inner):
    assert shown(inner).body["blank"] is True


@pytest.mark.parametrize(
    ("inner", "flag"),
    [
        ("<workingStatus>notWorking</workingStatus>", "sign_not_working"),
        ("<vmsWorking>false</vmsWorking>", "sign_not_working"),
        ("<workingStatus>covered</workingStatus>", "sign_covered"),
        ("<vmsFault><vmsFault>unableToClearDown</vmsFault></vmsFault>",
         "sign_fault_unable_to_clear_down"),
    ],
)  # fmt: skip
def test_a_sign_that_may_not_show_what_it_should_is_flagged(inner, flag):
    body = sign("").replace("<vmsStatus><vmsMessage", f"<vmsStatus>{inner}<vmsMessage")
    (event,) = outcomes(publication(unit(body)))
    assert event.quality_flags == (flag,)


def test_a_fault_of_the_controller_is_one_of_each_of_its_signs():
    fault = "<vmsControllerFault><vmsFault>outOfService</vmsFault></vmsControllerFault>"
    found = outcomes(publication(unit(sign(""), sign("", 1), more=fault)))
    assert [event.quality_flags for event in found] == [("sign_fault_out_of_service",)] * 2


def test_of_copies_of_one_sign_the_newest_is_taken():
    copies = (sign(area(line("MỚI")), at="11:30"), sign(area(line("CŨ")), at="11:00"))
    for order in (copies, copies[::-1]):
        (event,) = outcomes(publication(unit(*order)))
        assert lines(event) == [["MỚI"]]


def test_a_sign_that_does_not_say_when_it_was_set_has_the_time_of_its_status():
    body = sign("").replace("<timeLastSet>2026-11-20T11:00:00Z</timeLastSet>", "")
    (event,) = outcomes(publication(unit(body)))
    assert event.observed_at == datetime(2026, 11, 20, 11, 59, tzinfo=UTC)


def test_a_unit_without_an_id_costs_only_its_signs():
    found = outcomes(publication(unit(sign(""), name="") + unit(sign(""), name="C2")))
    assert [type(one) for one in found] == [Rejection, Event]
    assert found[0].path == "vmsControllerStatus[0]/vmsControllerReference/@id"


def test_who_set_a_message_is_not_read():
    inner = "<messageSetBy><values><value>NV Long</value></values></messageSetBy>"
    assert "Long" not in str(shown(inner, area(line("A"))))


def test_json_of_version_3_has_the_same_signs_as_xml():
    line_ = {"lineIndexG": 1, "textLine": {"textLine": "  ĐI CHẬM"}}
    text = {
        "vmsTextDisplay": {"textLine": [line_, {"lineIndexG": 0, "textLine": {"textLine": "A"}}]}
    }
    pages = [{"pageNumberG": 1, "displayAreaSettings": text}]
    areas = [
        {
            "displayAreaIndexG": 0,
            "displayAreaSettings": {"vmsMultiPageDisplay": {"displayAreaSettings": pages}},
        }
    ]
    message = {"timeLastSet": "2026-11-20T11:00:00Z", "displayAreaSettings": areas}
    status = {
        "vmsControllerReference": {"idG": "C1", "versionG": "1"},
        "statusUpdateTime": "2026-11-20T11:59:00Z",
        "vmsStatus": [
            {
                "vmsIndexG": 0,
                "vmsStatus": {"vmsMessage": [{"messageIndexG": 0, "vmsMessage": message}]},
            }
        ],
    }
    publication_ = {"publicationTime": "2026-11-20T12:00:00Z", "vmsControllerStatus": [status]}
    body = json.dumps({"payload": {"vmsVmsPublication": publication_}})
    both = page(1, line("  ĐI CHẬM", 1), line("A", 0))
    assert outcomes(body) == [shown(area(both, "MultiPageDisplay"))]
    assert lines(shown(area(both, "MultiPageDisplay"))) == [["A", "  ĐI CHẬM"]]


def container(exchange, inner="", kind="SituationPublication"):
    body = publication(inner, kind) if kind else ""
    return f"<messageContainer>{body}{exchange}</messageContainer>"


def protocol(word, more=""):
    context = f"<exchangeContext><codedExchangeProtocol>{word}</codedExchangeProtocol>"
    context += "</exchangeContext>"
    return f"<exchangeInformation>{context}{more}</exchangeInformation>"


def method(word):
    return f"<exchange><subscription><updateMethod>{word}</updateMethod></subscription></exchange>"


@pytest.mark.parametrize(
    ("exchange", "told"),
    [
        (protocol("snapshotPull"), "in a full snapshot (snapshotPull): all clear"),
        (protocol("snapshotPush"), "in a full snapshot (snapshotPush): all clear"),
        (method("snapshot"), "in a full snapshot (snapshot): all clear"),
        (protocol("deltaPush"), "in a part of all there is (deltaPush): no all clear"),
        (protocol("simplePush"), "in a part of all there is (simplePush): no all clear"),
        (protocol("statefulPush"), "in a part of all there is (statefulPush): no all clear"),
        (method("allElementUpdate"), "in a part of all there is (allElementUpdate): no all clear"),
        (
            method("singleElementUpdate"),
            "in a part of all there is (singleElementUpdate): no all clear",
        ),
        ("", "all clear, if the source sends full snapshots"),
        (
            protocol(
                "snapshotPull",
                "<dynamicInformation><completedPaylod>false</completedPaylod></dynamicInformation>",
            ),
            "in a part of all there is (snapshotPull): no all clear",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["SituationPublication", "VmsPublication"])
def test_an_empty_publication_is_all_clear_only_where_it_is_all_there_is(exchange, told, kind):
    (nothing,) = outcomes(container(exchange, kind=kind))
    assert isinstance(nothing, Nothing)
    assert nothing.why.endswith(told)


@pytest.mark.parametrize(
    "exchange",
    [
        "<exchange><denyReason>wrongFilter</denyReason></exchange>",
        "<exchange><response>requestDenied</response></exchange>",
        protocol(
            "snapshotPull",
            "<dynamicInformation><returnInformation><returnStatus>fail</returnStatus>"
            "</returnInformation></dynamicInformation>",
        ),
    ],
)
def test_a_refused_request_is_an_error_and_no_all_clear(exchange):
    (rejection,) = outcomes(container(exchange, kind=""))
    assert rejection.code == "exchange-refused"


def test_a_keep_alive_is_a_heartbeat():
    for body in (
        container("<exchange><keepAlive>true</keepAlive></exchange>", kind=""),
        container(protocol("statefulPush"), kind=""),
    ):
        assert outcomes(body) == [Nothing(why="a keep-alive of the exchange")]
