"""Why process decided as it did, in words. Pure."""

import schemas
from hub.explain.again import Outcome

__all__ = ["because", "duration"]


def duration(seconds: float) -> str:
    """A span for people: `350 ms`, `4.2 s`, `3 min`, `72 h`, `7 days`."""
    if abs(seconds) < 1:
        return f"{seconds * 1000:.0f} ms"
    for unit, length, below in (("s", 1, 120), ("min", 60, 3_600), ("h", 3_600, 345_600)):
        if abs(seconds) < below:
            return f"{seconds / length:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds / 86_400:.1f}".removesuffix(".0") + " days"


def because(outcome: Outcome, noun: schemas.NounSpec) -> str:
    """The rule that decided, and what it went by."""
    name, other, thing = outcome.outcome, outcome.other, outcome.thing
    if outcome.refused is not None:
        return f"{outcome.refused.code}: {outcome.refused.what}"
    if name == "duplicate":
        if noun.family == "occurrence":
            return (
                f"its event id had arrived before, within the window of {duration(noun.window_s)}"
            )
        return "the very same report had arrived before"
    if name == "superseded":
        return "a newer version of its subject had arrived before"
    if noun.merge is not None and thing is not None and other is not None:
        rule = (
            f"rule of {noun.name}: at most {duration(noun.merge.gap_s)} apart, an update after "
            f"{duration(noun.merge.span_s)} or when surer by {noun.merge.better:g}"
        )
        what = "near duplicate" if name == "merged" else "an update"
        return f"{what} of the first report of the same thing, number {thing.reports}; {rule}"
    if name == "merged":
        passes = f"of such reports one in {duration(noun.keep_alive_s)} passes"
        return f"it says the same as the last state of its subject; {passes}"
    if name == "dropped":
        return "no subscriber gets it"
    return ""
