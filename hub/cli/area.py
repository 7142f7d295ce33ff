"""`hub area resolve|import|statistics`."""

import argparse
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hub.cli.common import (
    Commands,
    command,
    config_of,
    decoded_text,
    group,
    json_option,
    read_input,
    table,
    time_or_day_of,
)
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.areas.resolve import Answer, Areas, Mapped, Point
    from hub.areas.statistics import Tally
    from hub.areas.tables import Register, Unit

__all__ = ["add", "point_of"]


def add(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    areas = group(
        commands,
        "area",
        help_="administrative areas by date",
        example="hub area resolve --code 00013 --scheme nso-2024",
    )
    resolved = command(
        areas,
        "resolve",
        _resolve,
        help_="the area a code, name, district or point means, then and now",
        example='hub area resolve --name "P. Minh Khai" --district "Hai Ba Trung" --at 2025-06-30',
        description="A code alone, without scheme and time, may belong to two schemes.\n"
        "--point decides between the parts of a split unit; alone, it is looked up.\n"
        "Exit code 1 when there is no such area.",
    )
    resolved.add_argument("--code", metavar="C", help="5 digits, or 3 for an old district")
    resolved.add_argument("--name", metavar="N", help="name in any spelling, with or without kind")
    resolved.add_argument(
        "--district", metavar="D", help="old district, by code or name; with --name it narrows"
    )
    resolved.add_argument("--point", metavar="LON,LAT", help="WGS 84 degrees")
    resolved.add_argument(
        "--at", metavar="DATE", help="when it was: a date (its start in Hanoi) or RFC 3339 time"
    )
    resolved.add_argument("--scheme", metavar="S", help="scheme of the code or name")
    resolved.add_argument("--to", metavar="S", help="scheme of `now` (default: today's)")
    json_option(resolved)
    imported = command(
        areas,
        "import",
        _import,
        help_="check the polygons of a scheme's units and keep them for --point",
        example="hub area import wards.geojson --code-property code",
        description="A GeoJSON FeatureCollection in WGS 84, one polygon for each unit.\n"
        "Nothing is kept, and the exit code is 1, when one is invalid, missing or overlaps.",
    )
    imported.add_argument("file", metavar="FILE", help="GeoJSON; - for standard input")
    imported.add_argument(
        "--code-property", metavar="P", default="code", help="property with the code"
    )
    imported.add_argument("--scheme", metavar="S", help="scheme of the codes (default: the newest)")
    json_option(imported)
    _add_statistics(areas)


def _add_statistics(areas: "Commands[argparse.ArgumentParser]") -> None:
    statistics = command(
        areas,
        "statistics",
        _statistics,
        help_="counts by the areas of one time in those of another, with the same total",
        example="hub area statistics june.csv --from nso-2024 --to nso-2025-07",
        description="CSV with the columns code and count, lon and lat where known; a name is\n"
        "for people. What may belong to several areas is a sum of its own, never shared out.\n"
        "Exit code 1 when a code is not in the list it was counted by.",
    )
    statistics.add_argument("file", metavar="FILE", help="CSV; - for standard input")
    statistics.add_argument(
        "--from", dest="from_", metavar="S", required=True, help="scheme of the codes"
    )
    statistics.add_argument("--to", metavar="S", help="scheme of the answer (default: the newest)")
    json_option(statistics)


def _resolve(arguments: argparse.Namespace) -> int:
    from hub.areas.resolve import Areas, no_boundaries
    from hub.areas.tables import shipped
    from hub.codec import micros

    _one_question(arguments)
    register = shipped()
    point = point_of(arguments.point) if arguments.point is not None else None
    code = _code_of(arguments.code) if arguments.code is not None else ""
    at_us = None
    if arguments.at is not None:
        at_us = micros(time_or_day_of(arguments.at, option="--at"))
    areas = Areas(register)
    if point is not None:
        from hub.areas.points import Imported

        places = Imported.load(config_of(arguments).data)
        if not places.schemes:
            # Never answered as if no point had been given.
            raise no_boundaries()
        areas = Areas(register, places)
    answer = areas.resolve(
        code=code,
        name=arguments.name or "",
        district=arguments.district or "",
        point=point,
        scheme=arguments.scheme or "",
        at_us=at_us,
        now_us=micros(datetime.now(UTC)),
        to_scheme=arguments.to or "",
    )
    _print(areas, answer, as_json=arguments.json)
    return 0 if answer.candidates or answer.now.units else 1


def _one_question(arguments: argparse.Namespace) -> None:
    given = [
        each
        for each in ("code", "name", "district", "point")
        if getattr(arguments, each) is not None
    ]
    for each in given:
        if not getattr(arguments, each).strip():
            raise ConfigError("empty", where=f"--{each}", fix="give a value, or leave it out")
    if not given or ("code" in given and {"name", "district"} & set(given)):
        raise ConfigError(
            "nothing to look up" if not given else "a code needs no name and no district",
            where="hub area resolve",
            fix="give one of --code, --name, --district and --point; "
            "--district may narrow --name, --point any of them",
        )


def _code_of(text: str) -> str:
    if not re.fullmatch(r"[0-9]{5}|[0-9]{3}", text):
        raise ConfigError(
            f"{text!r} is no code of a unit",
            where="--code",
            fix="write all 5 digits with leading zeros (3 for an old district)",
        )
    return text


def point_of(text: str) -> "Point":
    """Longitude and latitude from `LON,LAT`; what is no position near Hanoi is refused in words."""
    from hub.areas.coordinates import check

    try:
        lon, lat = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(
            f"{text!r} is not LON,LAT", where="--point", fix="write it as 105.8522,21.0287"
        ) from error
    seen = check(lon, lat)
    # Outside Hanoi is an answer: no unit. What can't be degrees is a mistake.
    if seen.lon is None or seen.lat is None:
        fix = "write degrees, longitude first: 105.8522,21.0287"
        raise ConfigError(seen.text, where="--point", fix=fix)
    return seen.lon, seen.lat


def _print(areas: "Areas", answer: "Answer", *, as_json: bool) -> None:
    if as_json:
        from hub.render import json_line

        print(json_line(_as_object(areas.register, answer)))
        return
    print(f"{answer.resolution.lower()} (by {answer.method})")
    rows = [_row(areas.register, unit) for unit in answer.candidates]
    print(table(rows) if rows else "no unit")
    # Said only where it is not what stands above.
    for label, mapped in (("then", answer.then), ("now", answer.now)):
        if mapped.units != answer.candidates:
            units = ", ".join(f"{unit.code} {unit.full_name}" for unit in mapped.units) or "no unit"
            print(f"{label}  {mapped.scheme}  {mapped.resolution.lower()}: {units}")
    for note in answer.notes:
        print(f"note: {note}")


def _row(register: "Register", unit: "Unit") -> tuple[str, ...]:
    district = register.unit(unit.scheme, unit.district)
    return unit.scheme, unit.code, unit.full_name, district.full_name if district else ""


def _as_object(register: "Register", answer: "Answer") -> dict[str, Any]:
    def units(of: "tuple[Unit, ...]") -> list[dict[str, str]]:
        found = []
        for unit in of:
            district = register.unit(unit.scheme, unit.district)
            found.append(
                {
                    "scheme": unit.scheme,
                    "code": unit.code,
                    "name": unit.name,
                    "kind": unit.kind,
                    "district": unit.district,
                    "district_name": district.name if district else "",
                }
            )
        return found

    def mapped(of: "Mapped") -> dict[str, Any]:
        resolution = of.resolution.lower()
        return {"scheme": of.scheme, "resolution": resolution, "areas": units(of.units)}

    return {
        "candidates": units(answer.candidates),
        "method": answer.method,
        "resolution": answer.resolution.lower(),
        "meant": units(answer.meant),
        "then": mapped(answer.then),
        "now": mapped(answer.now),
        "notes": list(answer.notes),
    }


def _import(arguments: argparse.Namespace) -> int:
    from hub.areas import geojson
    from hub.areas.site import folder_of
    from hub.areas.tables import shipped
    from hub.render import json_line

    config = config_of(arguments)
    register = shipped()
    scheme = arguments.scheme or register.newest.name
    checked = geojson.check(
        read_input(arguments.file),
        register,
        scheme,
        code_property=arguments.code_property,
        where=arguments.file,
    )
    for problem in checked.problems:
        line = {"problem": problem.kind, "codes": list(problem.codes), "text": problem.text}
        print(json_line(line) if arguments.json else f"{problem.kind}: {problem.text}")
    written = None
    if checked.boundaries is not None:
        written = checked.boundaries.save(folder_of(config.data))
    summary = {
        "scheme": checked.scheme,
        "units": checked.found,
        "wanted": checked.wanted,
        "area_km2": round(checked.area_km2, 1),
        "problems": len(checked.problems),
        "written": str(written) if written else None,
    }
    if arguments.json:
        print(json_line(summary))
    else:
        where = f"written to {written}" if written else "nothing was written"
        print(
            f"{scheme}: {checked.found} of {checked.wanted} units, {checked.area_km2:,.1f} km2, "
            f"{len(checked.problems)} problems; {where}"
        )
    return 0 if written else 1


def _statistics(arguments: argparse.Namespace) -> int:
    from hub.areas import statistics
    from hub.areas.resolve import Areas, no_boundaries
    from hub.areas.site import of_site

    text = decoded_text(read_input(arguments.file), arguments.file)
    rows = statistics.read(text, arguments.file)
    areas = Areas()
    if any(row.point is not None for row in rows):
        areas = of_site(config_of(arguments).data)
        if areas.places is None:
            # Never answered as if no points had been given.
            raise no_boundaries()
    to = arguments.to or areas.register.newest.name
    tally = statistics.told_in(rows, areas, from_scheme=arguments.from_, to_scheme=to)
    _print_tally(tally, from_=arguments.from_, as_json=arguments.json)
    return 1 if tally.unknown else 0


def _print_tally(tally: "Tally", *, from_: str, as_json: bool) -> None:
    from hub.render import json_line

    unknown = sum(tally.unknown.values())
    open_ = tally.total - tally.sure - unknown
    if as_json:
        for units, count in tally.counts.items():
            areas = [{"code": unit.code, "name": unit.name, "kind": unit.kind} for unit in units]
            sure = "exact" if len(units) == 1 else "ambiguous"
            line = {"scheme": tally.scheme, "areas": areas, "count": count, "resolution": sure}
            print(json_line(line))
        for code, count in tally.unknown.items():
            line = {"scheme": from_, "code": code, "count": count, "resolution": "unknown"}
            print(json_line(line))
        sums = {"total": tally.total, "exact": tally.sure, "ambiguous": open_, "unknown": unknown}
        print(json_line(sums))
        return
    rows = []
    for unit in sorted({each for units in tally.counts for each in units}, key=lambda u: u.code):
        least, most = tally.of(unit)
        more = f"to {most:,}" if most > least else ""
        rows.append((unit.code, unit.full_name, f"{least:,}", more))
    print(table(rows) or "nothing is counted")
    for units, count in tally.counts.items():
        if len(units) > 1:
            names = " or ".join(f"{unit.code} {unit.full_name}" for unit in units)
            print(f"open: {count:,} in {names}")
    for code, count in tally.unknown.items():
        print(f"unknown: {count:,} under {code}, which is not in {from_}")
    print(f"total: {tally.total:,} = {tally.sure:,} sure + {open_:,} open + {unknown:,} unknown")
