"""What the envelope of DATEX II says of its content: all there is, a part, or a refusal."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connectors._formats.text import snake
from connectors._formats.xml import Node
from hub.connector import Nothing, Outcome, Rejection

__all__ = ["Exchange"]

_TRUE: Final = frozenset({"true", "1"})
_FALSE: Final = frozenset({"false", "0"})


@dataclass(frozen=True, slots=True)
class Exchange:
    """`exchange` of 2.x, `exchangeInformation` of 3.x, or nothing of the kind."""

    word: str = ""
    """The publisher's own: `snapshotPull`, `allElementUpdate`."""
    is_full: bool | None = None
    """Whether absence from the document means gone; None when it does not say."""
    refused: str = ""
    is_heartbeat: bool = False

    @classmethod
    def of(cls, root: Node) -> "Exchange":
        """The exchange's words, wherever the envelopes around it put them."""
        for name in ("exchangeInformation", "exchange"):
            for node in root.descendants(name):
                return _exchange(node)
        return cls()

    def without(self, what: str, published_at: datetime | None = None) -> Nothing:
        """A publication without content: an all clear only where the document is all there is."""
        if self.is_full:
            why = f"{what}, in a full snapshot ({self.word}): all clear"
        elif self.is_full is None:
            why = f"{what}: all clear, if the source sends full snapshots"
        else:
            why = f"{what}, in a part of all there is ({self.word}): no all clear"
        return Nothing(why=why, published_at=published_at)

    def alone(self, path: str) -> Outcome:
        """An exchange message that carries no publication."""
        if self.refused:
            return Rejection(
                code="exchange-refused",
                message=f"the publisher refused: {self.refused}",
                path=path,
                fix="check the subscription, the filter and the credentials of the source",
            )
        if self.is_heartbeat:
            return Nothing(why="a keep-alive of the exchange")
        return Nothing(why="an exchange message without a publication")


def _exchange(node: Node) -> Exchange:
    context, dynamic = node.find("exchangeContext"), node.find("dynamicInformation")
    method = node.value("subscription/updateMethod")
    protocol = ""
    if context is not None:
        method = context.value("updateMethod") or context.value("subscription/updateMethod")
        protocol = context.value("codedExchangeProtocol")
    complete = dynamic is None or dynamic.value("completedPaylod") not in _FALSE
    return Exchange(
        word=(method or protocol)[:40],
        is_full=_is_full(method, protocol, complete=complete),
        refused=_refusal(node, dynamic),
        is_heartbeat=node.value("keepAlive") in _TRUE or protocol.startswith("stateful"),
    )


def _is_full(method: str, protocol: str, *, complete: bool) -> bool | None:
    for word in (method, protocol):
        if word.startswith("snapshot"):
            return complete
        if word.startswith(("all", "single", "delta", "simplePush", "stateful")):
            return False
    return None


def _refusal(node: Node, dynamic: Node | None) -> str:
    """`denyReason` and `…Denied` of 2.x, `fail` of 3.x; never the publisher's free text."""
    words = [node.value("denyReason"), node.value("response")]
    if dynamic is not None and dynamic.value("returnInformation/returnStatus") == "fail":
        words.append(dynamic.value("returnInformation/codedInvalidityReason") or "fail")
    told = [word for word in words if word and word != "acknowledge"]
    return ", ".join(snake(word)[:40] for word in told)
