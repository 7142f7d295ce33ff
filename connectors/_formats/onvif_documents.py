"""Documents of ONVIF cameras: what is in them, and which camera speaks.

A body is one document or several end to end (SOAP, or the metadata stream). Roots are also known as
the specification's own example misspells them.
"""

from collections.abc import Iterator
from typing import Final, Literal

from pydantic import Field

import hub
from connectors._formats.documents import documents
from connectors._formats.mqtt import was_kept
from connectors._formats.onvif_scene import Camera
from connectors._formats.xml import Node, parse_xml
from hub.connector import Nothing, Payload, Rejection
from hub.errors import PayloadError

__all__ = ["DOCUMENTS_MAX", "NOTIFICATIONS", "RECORDS_MAX", "CameraOptions", "camera_of", "records"]

DOCUMENTS_MAX, RECORDS_MAX = 256, 10_000
NOTIFICATIONS: Final = frozenset({"NotificationMessage", "NotficationMessage"})
_RECORDS: Final = NOTIFICATIONS | {"Frame"}
_DEPTH_MAX = 12
_ROOTS: Final = frozenset(
    {"envelope", "metadatastream", "notify", "pullmessagesresponse", "videoanalytics", "event",
     "frame", "notificationmessage", "notficationmessage"}
)  # fmt: skip


class CameraOptions(hub.Options):
    """What a site may say of a camera that speaks ONVIF."""

    device: str = Field(
        default="",
        max_length=128,
        description="What the camera is called: stands in `device_ref`, before the token of its "
        "video source. A metadata stream names no camera; over MQTT the topic's prefix does",
    )
    device_ref: Literal["token", "device"] = Field(
        default="token",
        description="What names the device: its name and the `token` of the video source (a "
        "camera with several lenses, a recorder), or its name as a `device` alone, as tokens "
        "differ from topic to topic",
    )


def camera_of(payload: Payload, options: CameraOptions, told: str) -> Camera:
    """The camera of a payload: by the option `device`, else as the payload tells."""
    name = options.device or told
    return Camera(
        name=name,
        received_at=payload.received_at,
        options=options,
        replayed=was_kept(payload),
        with_token=options.device_ref == "token" or not name,
    )


def records(body: bytes) -> Iterator[Node | Nothing | Rejection]:
    """Notifications and frames in their order; or why a document gives none."""
    for place, document in enumerate(documents(body)):
        if place == DOCUMENTS_MAX:
            message = f"more than {DOCUMENTS_MAX} documents in one payload"
            yield Rejection(code="too-many-documents", message=message, path=f"document[{place}]")
            return
        try:
            yield from _of_document(parse_xml(document))
        except PayloadError as error:
            path = error.path or f"document[{place}]"
            yield Rejection.of(error, path=path)


def _of_document(root: Node) -> Iterator[Node | Nothing | Rejection]:
    _known(root)
    count = 0
    for record in _below(root, _DEPTH_MAX):
        count += 1
        if count > RECORDS_MAX:
            message = f"more than {RECORDS_MAX} messages in one document"
            yield Rejection(code="too-many-records", message=message, path=record.path)
            return
        yield record
    if not count:
        yield Nothing(why="no event and no frame in it")


def _known(root: Node) -> None:
    """Refuse what is no document of ONVIF, and the answer of a device that refused."""
    fault = root.find("Body/Fault")
    if fault is not None:
        code = fault.value("Code/Subcode/Value") or fault.value("faultcode") or "no code"
        raise PayloadError(
            f"the device answered with a fault ({code[:80]})",
            code="soap-fault",
            path=fault.path,
            fix="check user, rights and the camera's clock: a stamp minutes off is not authorised",
        )
    if root.name.lower() not in _ROOTS:
        raise PayloadError(
            f"no document of ONVIF: its root is {root.name[:80]!r}",
            code="unknown-document",
            path=root.path,
            fix="send answers of PullMessages, Notify, or documents of the metadata stream",
        )


def _below(node: Node, depth: int) -> Iterator[Node]:
    """Notifications and frames below or at a node, in document order."""
    if node.name in _RECORDS:
        yield node
    elif depth:
        for child in node.children:
            yield from _below(child, depth - 1)
