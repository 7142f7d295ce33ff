"""`hub plate`: what a licence plate says, and what it leaves open."""

import argparse
from typing import TYPE_CHECKING, Any, cast

from hub.cli.common import Commands, command, json_option, near, table, time_of
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.plates import Candidate, Reading, VehicleKey
    from schemas.models import PlateCategory, PlateColour

__all__ = ["add"]


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = command(
        commands,
        "plate",
        _plate,
        help_="what a licence plate says, and what it leaves open",
        example="hub plate 29A-123.45 --category CAR --colour WHITE",
        description="Normalises a text as a camera sends it, and names every plate of Vietnam that "
        "it can be,\nthe repair of a misread character, what contradicts what, and whether the "
        "vehicle key\nis weak: a weak key must not trigger enforcement alone. Nothing is written.",
    )
    parser.add_argument("text", metavar="TEXT", help="as the camera sent it; after -- if it is -…")
    parser.add_argument("--category", metavar="C", help="of the vehicle, as the camera tells it")
    parser.add_argument("--colour", metavar="C", help="of the plate's background")
    parser.add_argument(
        "--at", metavar="T", help="RFC 3339 with offset: provinces of that day (default: newest)"
    )
    json_option(parser)


def _plate(arguments: argparse.Namespace) -> int:
    from hub.plates import CATEGORIES, COLOURS, look_alikes, read, vehicle_key
    from hub.plates.tables import hanoi_day
    from hub.render import json_line

    category = _one_of(arguments.category, CATEGORIES, "--category")
    colour = _one_of(arguments.colour, COLOURS, "--colour")
    at = time_of(arguments.at, option="--at") if arguments.at else None
    on = hanoi_day(at) if at else None
    reading = read(
        _valid(arguments.text),
        category=cast("PlateCategory", category),
        colour=cast("PlateColour", colour),
        at=at,
    )
    key = vehicle_key(reading)
    # Of a text that is a plate as it stands; what another can be repaired to is among the rest.
    also = look_alikes(reading.norm, on) if reading.candidates and not reading.repaired else ()
    if arguments.json:
        print(json_line(_as_dict(reading, key, also)))
    else:
        print(table([(name, text) for name, text in _lines(reading, key, also) if text]))
    return 0


def _one_of(name: str | None, allowed: tuple[str, ...], option: str) -> str:
    if name is None:
        return "UNKNOWN"
    if name.upper() not in allowed:
        listed = f"use {', '.join(allowed)}"
        guess = near(name.upper(), allowed, fallback="")
        raise ConfigError(
            f"{name!r} is none of the schema's",
            where=option,
            fix=f"{guess} {listed}" if guess else listed,
        )
    return name.upper()


def _valid(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError("not UTF-8", where="TEXT", fix="type it as UTF-8") from error
    return text


def _lines(
    reading: "Reading", key: "VehicleKey", also: "tuple[Candidate, ...]"
) -> list[tuple[str, str]]:
    """Names and what there is to say; empty texts are left out."""
    # As Python writes it: control characters and text from right to left stay harmless.
    lines = [
        ("read", repr(reading.raw)),
        ("normalised", reading.norm or "nothing was read"),
        ("look-alikes", ", ".join(f"{given!r} taken as {one}" for given, one in reading.folded)),
        ("unknown", f"{reading.dropped!r} is on no plate of Vietnam" if reading.dropped else ""),
    ]
    if (repair := reading.repair) is not None:
        told = f"place {repair.place}: {repair.was} read as {repair.now}, gives {repair.text}"
        lines.append(("repaired", told))
    lines += [(each.kind, _told(each, reading)) for each in reading.candidates]
    if not reading.candidates and not reading.sentinel:
        lines.append(("kind", "no plate of Vietnam's grammar; kept as it is"))
    if reading.ambiguous:
        lines.append(("ambiguous", _why(reading)))
    lines += [("contradiction", each) for each in reading.contradictions]
    lines += [("or misread", f"{each.display} ({each.kind}) with one character") for each in also]
    strength = f"weak: {'; '.join(key.reasons)}" if key.weak else "strong"
    parts = ", ".join((key.text or "no text", key.category, key.colour))
    return [*lines, ("vehicle key", f"{parts} ({strength})")]


def _told(candidate: "Candidate", reading: "Reading") -> str:
    text = candidate.display
    if candidate.local:
        text += f"  local code {candidate.local} ({candidate.province or 'not named here'})"
    text += f"  series {candidate.series}  number {candidate.number}"
    if candidate.country:
        text += f"  country {candidate.country}"
    return text if candidate in reading.fitting else f"{text}  (excluded)"


def _why(reading: "Reading") -> str:
    kinds = " and ".join(each.kind.replace("_", " ") for each in reading.fitting)
    unknown = [
        option
        for option, given in (("--category", reading.category), ("--colour", reading.colour))
        if given == "UNKNOWN"
    ]
    more = f"; {' or '.join(unknown)} may decide" if unknown else ""
    return f"{kinds} fit{more}"


def _as_dict(
    reading: "Reading", key: "VehicleKey", also: "tuple[Candidate, ...]"
) -> dict[str, Any]:
    repair = reading.repair
    fields = ("place", "was", "now", "text")
    return {
        "raw": reading.raw,
        "norm": reading.norm,
        "text": reading.text,
        "sentinel": reading.sentinel,
        "folded": reading.folded,
        "dropped": reading.dropped,
        "repaired": reading.repaired,
        "repair": {name: getattr(repair, name) for name in fields} if repair else None,
        "ambiguous": reading.ambiguous,
        "candidates": [_plain(each) | {"fits": each in reading.fitting}
                       for each in reading.candidates],
        "contradictions": reading.contradictions,
        "look_alikes": [_plain(each) for each in also],
        "key": {
            "text": key.text,
            "category": key.category,
            "colour": key.colour,
            "weak": key.weak,
            "reasons": key.reasons,
        },
    }  # fmt: skip


def _plain(candidate: "Candidate") -> dict[str, Any]:
    return candidate._asdict() | {"category": candidate.category, "display": candidate.display}
