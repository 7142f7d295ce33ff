"""The alerts in an EDXL distribution (OASIS EDXL-DE 1.0 and 2.0); `edxl_de` names the traps."""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from connectors._formats.cap_alert import ALERT_STATUS, read_alert, time_of
from connectors._formats.text import clean
from connectors._formats.xml import Node, parse_xml
from hub.connector import Event, Nothing, Options, Outcome, Payload, Rejection, Status
from hub.errors import PayloadError

__all__ = ["read_distribution"]

_OBJECTS: Final = ("contentObject", "content/contentObject")
_EMBEDDED: Final = ("xmlContent/embeddedXMLContent", "contentXML/embeddedXMLContent")
_OTHER: Final = ("nonXMLContent", "otherContent")
_MANDATORY: Final = ("distributionID", "senderID", "dateTimeSent")
_PROTOCOL: Final = frozenset({"ack", "error"})


def read_distribution(root: Node, payload: Payload, options: Options) -> Iterator[Outcome]:
    """An outcome for each alert of an `EDXLDistribution`, and for each content that is none."""
    kind = _word(root, "distributionType") or _word(root, "distributionKind")
    if kind.lower() in _PROTOCOL:
        yield Nothing(why=f"EDXL {kind[:20]}: protocol traffic, no alert")
        return
    objects = [node for path in _OBJECTS for node in root.findall(path)]
    cancels = kind.lower() == "cancel"
    if not objects:
        yield _without_content(root) if cancels else Nothing(why="a distribution without content")
        return
    flags = [] if all(root.value(name) for name in _MANDATORY) else ["envelope_incomplete"]
    status, unclear = _status(root)
    flags += unclear + (["cancelled_by_envelope"] if cancels else [])
    published_at = time_of(root.value("dateTimeSent"), payload, options)
    for place, node in enumerate(objects):
        for outcome in _contents(node, f"{root.name}/contentObject[{place}]", payload, options):
            if isinstance(outcome, Event):
                yield replace(
                    outcome if status == "LIVE" else _not_live(outcome, status),
                    published_at=published_at,
                    lifecycle="CANCELLED" if cancels else outcome.lifecycle,
                    quality_flags=tuple(dict.fromkeys((*outcome.quality_flags, *flags))),
                )
            else:
                yield outcome


def _not_live(event: Event, status: Status) -> Event:
    """An alert that only its envelope makes a test: apart from the real one, which may still come.

    With the subjects of the real chain, a cancel that was a test would withdraw the alert itself.
    """
    if event.status != "LIVE":
        return event
    references = [
        reference | {"subject": (*reference["subject"], status)}
        for reference in event.body["references"]
    ]
    return replace(
        event,
        status=status,
        subject=(*event.subject, status),
        body={**event.body, "references": references},
    )


def _status(root: Node) -> tuple[Status, list[str]]:
    """The envelope's status and flags: what it can't mean is UNKNOWN, which is never live."""
    word = _word(root, "distributionStatus")
    if not word:
        return "LIVE", ["distribution_status_missing"]  # then each alert's own status holds
    status = ALERT_STATUS.get(word.lower())
    return (status, []) if status else ("UNKNOWN", ["distribution_status_unknown"])


def _word(root: Node, name: str) -> str:
    """The text of an element; in 2.0 that of its first child, `StatusKindDefault`."""
    node = root.find(name)
    if node is None:
        return ""
    return clean(node.text or next((child.text for child in node.children if child.text), ""))


def _without_content(root: Node) -> Rejection:
    named = clean(root.value("distributionReference"))[:200] or "no distribution"
    return Rejection(
        code="cancel-without-alerts",
        message=f"a Cancel of {named!r} without content: which alerts it withdraws is open",
        path=f"{root.name}/distributionReference",
        fix="let the sender put the alerts that are withdrawn into the Cancel",
    )


def _contents(node: Node, path: str, payload: Payload, options: Options) -> Iterator[Outcome]:
    """The outcomes of one content object; `keyXMLContent` is only an excerpt and never read."""
    found = False
    for embedded in (each for name in _EMBEDDED for each in node.findall(name)):
        found = True
        alerts = embedded.descendants("alert")
        for alert in alerts:
            yield read_alert(alert, payload, options, path=f"{path}/alert")
        if not alerts:
            names = ", ".join(child.name[:40] for child in embedded.children[:3])
            yield Nothing(why=f"content that is no alert: {names or 'empty'}")
    for other in (each for name in _OTHER for each in node.findall(name)):
        found = True
        yield _decoded(other, path, payload, options)
    if not found:
        yield Nothing(why="a content object without content")


def _decoded(other: Node, path: str, payload: Payload, options: Options) -> Outcome:
    """An alert sent as base64, as some senders do with signed ones."""
    mime, data = clean(other.value("mimeType")), other.value("contentData")
    if not (data and "xml" in mime.lower()):
        return Nothing(why=f"content of type {mime[:60] or 'unknown'}, no alert")
    try:
        alert = parse_xml(base64.b64decode("".join(data.split()), validate=True))
    except (binascii.Error, ValueError, PayloadError) as error:
        what = error.what if isinstance(error, PayloadError) else "contentData is no base64"
        return Rejection(code="malformed", message=what, path=f"{path}/contentData")
    if alert.name != "alert":
        return Nothing(why=f"content that is no alert: {alert.name[:40]}")
    return read_alert(alert, payload, options, path=f"{path}/alert")
