"""Alerts passed on in EDXL distributions (OASIS EDXL-DE 1.0 and 2.0): an envelope around CAP.

One event for each alert in the content objects; the subject is the alert's own identifier, so that
an alert passed on in two distributions, or fetched from its sender too, is one thing.

Traps handled:

- The envelope's type and status and the alert's are independent. An alert counts as live only where
  both say Actual: a Test around it makes it a test, and so does its own. A status nobody defined is
  UNKNOWN, which is never live. What only its envelope makes a test has a subject of its own, so
  that a rehearsed cancel withdraws no real alert, and the real one is no repeat of its rehearsal.
- A Cancel withdraws what it holds (CANCELLED, flag `cancelled_by_envelope`), whatever the alerts'
  own type. One without content withdraws a distribution by its id, which no event carries: it is
  refused, so that people look.
- Ack and Error are protocol; Request, Response, Dispatch and the others hold alerts like a Report.
- One message fans out to many alerts; a broken one costs only itself.
- `keyXMLContent` repeats parts of the content and is not read. An alert may come as base64 in
  `nonXMLContent`; other content is a `Nothing` that names it.
- Missing fields of the envelope cost only a flag. Its sender may be a person and is not read.

Not read: target areas, roles and keywords of the envelope (the alerts have areas of their own), and
content other than CAP. Known from the standard and a published example; 2.0 from the standard only.
"""

from collections.abc import Iterator

from connectors._formats.cap_alert import ALERT_IDENTITY
from connectors._formats.edxl import read_distribution
from connectors._formats.xml import parse_xml
from hub.connector import Connector, Options, Outcome, Payload, Rejection

__all__ = ["Options", "connector", "parse"]


def parse(payload: Payload, options: Options) -> Iterator[Outcome]:
    """An `alert` for each one in the distribution, bare or in SOAP."""
    root = parse_xml(payload.body)
    distributions = root.descendants("EDXLDistribution")
    for distribution in distributions:
        yield from read_distribution(distribution, payload, options)
    if not distributions:
        yield Rejection(
            code="not-edxl",
            message=f"the root is {root.name[:60]!r}, expected an EDXLDistribution",
            path=root.name[:80],
            fix="for alerts and feeds without an envelope use the connector `cap`",
        )


connector = Connector(
    name="edxl_de",
    title="Alerts in EDXL distributions, EDXL-DE 1.0 and 2.0",
    parse=parse,
    emits=("alert",),
    identity={"alert": ALERT_IDENTITY},
    lane="urgent",
    transports=("http_poll", "http_push", "drop_folder"),
)
