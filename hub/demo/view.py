"""The live view of the demo: stages, rates, lag, and the newest events of each subscriber."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

import schemas
from hub.demo.watch import Watch

__all__ = ["Progress", "View"]

_SPAN_S = 5.0


@dataclass(slots=True)
class Progress:
    """Where the simulator and the stages stand."""

    sent: int = 0
    second: float = 0.0
    lag: dict[str, int] = field(default_factory=dict)
    restarts: int = 0
    phase: str = "starting"


# What becomes of a canonical record.
_DECIDED = ("delivered", "merged", "duplicate", "superseded", "dropped", "dead")


class _Rate:
    """Change a second of a growing number, over the last few seconds."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, float]] = deque()

    def of(self, value: float) -> float:
        now = time.monotonic()
        self._points.append((now, value))
        while now - self._points[0][0] > _SPAN_S and len(self._points) > 2:
            self._points.popleft()
        (then, before), span = self._points[0], now - self._points[0][0]
        return (value - before) / span if span > 0 and then else 0.0


class View:
    """Draws the present state; `rich.live.Live` calls it a few times a second."""

    def __init__(self, watch: Watch, progress: Progress, seconds: int | None) -> None:
        self._watch = watch
        self._progress = progress
        self._seconds = seconds
        self._rates: dict[str, _Rate] = {}

    def __rich__(self) -> RenderableType:
        return Group(self._head(), self._stages(), self._subscribers())

    def _head(self) -> Text:
        progress = self._progress
        of = f" of {self._seconds}" if self._seconds else ""
        text = Text.assemble(
            ("Hanoi event hub", "bold"),
            f"  {progress.phase}: simulated second {progress.second:,.0f}{of}",
        )
        if progress.restarts:
            workers = "worker" if progress.restarts == 1 else "workers"
            text.append(f"  {progress.restarts} {workers} started again", "yellow")
        return text

    def _stages(self) -> Table:
        table = Table(expand=True)
        for name in (
            *("stage", "in", "a second", "out"),
            *("merged", "duplicate", "superseded", "refused", "lag"),
        ):
            table.add_column(name, justify="left" if name == "stage" else "right")
        outcomes, lag = self._watch.outcomes, self._progress.lag
        table.add_row("ingest", *self._numbers("ingest", self._progress.sent), *("",) * 6)
        for stage, taken, out in (
            ("normalise", ("events", "refused", "nothing"), "found"),
            ("process", _DECIDED, "delivered"),
        ):
            total = sum(outcomes[stage, name] for name in taken)
            behind = sum(count for group, count in lag.items() if f".{stage}." in group)
            table.add_row(
                stage,
                *self._numbers(stage, total),
                f"{outcomes[stage, out]:,}",
                f"{outcomes[stage, 'merged']:,}",
                f"{outcomes[stage, 'duplicate']:,}",
                f"{outcomes[stage, 'superseded']:,}",
                f"{outcomes[stage, 'dead']:,}",
                f"{behind:,}",
            )
        return table

    def _numbers(self, name: str, value: int) -> tuple[str, str]:
        rate = self._rates.setdefault(name, _Rate()).of(value)
        return f"{value:,}", f"{rate:,.0f}"

    def _subscribers(self) -> Group:
        panels = []
        for subscriber in schemas.subscribers().values():
            prefix = f"{subscriber.id}."
            counts = {
                topic.removeprefix(prefix): count
                for topic, count in sorted(self._watch.topics.items())
                if topic.startswith(prefix)
            }
            title = ", ".join(f"{topic.split('.')[0]} {count:,}" for topic, count in counts.items())
            newest = list(self._watch.newest.get(subscriber.id, ()))
            lines = Text("\n".join(_line(topic, record) for topic, record in newest), no_wrap=True)
            lines.overflow = "ellipsis"
            panels.append(Panel(lines, title=subscriber.title, subtitle=title, title_align="left"))
        codes = ", ".join(f"{code} {count:,}" for code, count in self._watch.codes.most_common())
        panels.append(Panel(Text(codes or "none"), title="Dead letters", title_align="left"))
        return Group(*panels)


def _line(topic: str, record: dict[str, Any]) -> str:
    """One event, as an operator reads it."""
    header, place = record["header"], record["place"]
    where = place["name"] or place["junction"] or header["device_ref"] or header["native_id"] or ""
    at = header["observed_at"]
    return "  ".join(
        part
        for part in (
            at.strftime("%H:%M:%S") if at else "--:--:--",
            topic.split(".")[1],
            header["kind"],
            header["lifecycle"] if header["lifecycle"] != "UNKNOWN" else "",
            _content(record),
            where,
        )
        if part
    )


def _content(record: dict[str, Any]) -> str:
    """What the event says, in a few words; a withheld plate stays withheld."""
    plate = record["restricted"]["plate"]
    if plate is not None:
        return str(plate["text"] or "no plate read")
    if any(each["field"] == "restricted.plate" for each in record["view"]["withheld"]):
        return "plate withheld"
    body = record["body"]
    if "infos" in body:
        return body["infos"][0]["headline"] if body["infos"] else ""
    if "groups" in body:
        green = [
            str(group["signal_group"]) for group in body["groups"] if "ALLOWED" in group["state"]
        ]
        return f"green {','.join(green) or 'none'}"
    return str(body.get("detail") or body.get("rule") or body.get("state") or "")
