"""NGSI entities in their shapes, seen alike: keyValues, NGSI v2 normalised, NGSI-LD in all forms.

One attribute is `0.76`, or `{"type": "Number", "value": 0.76}`, or `{"type": "Property",
"value": 0.76, "observedAt": …}`, or a list of those; a type or a name is short or a whole URI.
"""

from collections.abc import Iterator
from typing import Any, Final

from connectors._formats.numbers import number
from connectors._formats.text import clean

__all__ = ["RECORDS", "Entity", "entities_in", "local_name"]

RECORDS: Final = ((), ("data",), ("features",), ("data", "features"))
"""Where lists of entities may stand."""
_NULL: Final = "urn:ngsi-ld:null"
_OBSERVED: Final = ("observedAt", "TimeInstant", "timestamp")


def local_name(name: str) -> str:
    """The short name of a type or an attribute written as a URI."""
    return name.rpartition("#")[2].rpartition("/")[2]


def entities_in(document: Any) -> Iterator[tuple[str, Any]]:
    """Every entity of a notification or an answer, or the only one, and where it stands."""
    path = ""
    if _is_notification(document):
        document, path = document["data"], "data"
    if isinstance(document, dict) and isinstance(document.get("features"), list):
        document, path = document["features"], f"{path}/features".lstrip("/")
    if not isinstance(document, list):
        yield path, document
        return
    for place, entity in enumerate(document):
        yield f"{path}[{place}]", entity


def _is_notification(document: Any) -> bool:
    """Whether `data` holds entities; a bare entity may have an attribute of that name."""
    return (
        isinstance(document, dict)
        and isinstance(document.get("data"), list | dict)
        and ("subscriptionId" in document or "type" not in document)
    )


class Entity:
    """The attributes of one entity by short name, whatever its shape."""

    __slots__ = ("_members", "id", "type")

    def __init__(self, members: dict[str, Any]) -> None:
        if members.get("type") == "Feature" and isinstance(members.get("properties"), dict):
            geometry = {"location": members["geometry"]} if members.get("geometry") else {}
            members = {"id": members.get("id"), **geometry, **members["properties"]}
        id_, type_ = (
            members.get("id", members.get("@id")),
            members.get("type", members.get("@type")),
        )
        if isinstance(type_, list):
            type_ = next(iter(type_), None)
        self.id = clean(id_) if isinstance(id_, str) else ""
        self.type = local_name(type_) if isinstance(type_, str) else ""
        self._members = {local_name(name): member for name, member in members.items()}

    def __contains__(self, name: str) -> bool:
        return self.value(name) is not None

    def value(self, name: str) -> Any:
        """The attribute's value; None when it is absent, null or deleted."""
        return _value(self._members.get(name))

    def text(self, *names: str) -> str:
        """The first of the attributes that is a text, a number, or a list of those."""
        for name in names:
            value = self.value(name)
            if isinstance(value, list):
                value = ",".join(str(item) for item in value if isinstance(item, str | int | float))
            if isinstance(value, str | int | float) and not isinstance(value, bool):
                text = clean(str(value))
                if text:
                    return text
        return ""

    def number(self, name: str) -> float | None:
        """The attribute as a number, also one written as a text."""
        value = self.value(name)
        if isinstance(value, str):
            return number(value)
        if type(value) in {int, float} and abs(value) < 1e15:
            return float(value)
        return None

    def geometry(self, name: str) -> Any:
        """The attribute as GeoJSON; v2's `geo:point` and its like are texts, latitude first."""
        value = self.value(name)
        if isinstance(value, str):
            return {"type": "Point", "coordinates": _turned(value)}
        if isinstance(value, list):
            return {"type": "LineString", "coordinates": [_turned(item) for item in value]}
        return value

    def unit(self, name: str) -> str:
        """The attribute's `unitCode` (UN/CEFACT), of NGSI-LD or as metadata of v2; else empty."""
        member = _first(self._members.get(name))
        if not isinstance(member, dict):
            return ""
        metadata = member.get("metadata")
        more = metadata.get("unitCode") if isinstance(metadata, dict) else None
        unit = _value(member.get("unitCode")) or _value(more)
        return clean(unit) if isinstance(unit, str) else ""

    def languages(self, name: str) -> list[tuple[str, str]]:
        """The attribute's texts by language (empty where the entity names none): vi, en, others."""
        member = _first(self._members.get(name))
        languages = member.get("languageMap") if isinstance(member, dict) else None
        if isinstance(languages, dict):
            pairs = [(key, _value(text)) for key, text in languages.items()]
            pairs.sort(key=lambda pair: (pair[0] != "vi", pair[0] != "en", pair[0]))
            return [(key, clean(text)) for key, text in pairs if isinstance(text, str) and text]
        text = self.text(name)
        return [("", text)] if text else []

    def observed(self) -> Iterator[str]:
        """When single attributes were observed, as they say: NGSI-LD's members, v2's metadata."""
        for member in self._members.values():
            attribute = _first(member)
            if not isinstance(attribute, dict):
                continue
            metadata = attribute.get("metadata")
            for holder in (attribute, metadata if isinstance(metadata, dict) else {}):
                for name in _OBSERVED:
                    value = _value(holder.get(name))
                    if isinstance(value, str):
                        yield value


def _turned(text: Any) -> list[float]:
    """`21.03, 105.85` as [105.85, 21.03]; empty for anything else."""
    parts = text.split(",") if isinstance(text, str) else []
    numbers = [number(part) for part in parts[::-1]]
    found = [each for each in numbers if each is not None]
    return found if len(numbers) == len(found) == 2 else []


def _first(member: Any) -> Any:
    """The default instance of an attribute that has several (`datasetId`)."""
    if isinstance(member, list) and member and isinstance(member[0], dict) and "type" in member[0]:
        return next((each for each in member if "datasetId" not in each), member[0])
    return member


def _value(member: Any) -> Any:
    member = _first(member)
    for _ in range(3):  # an attribute, its value, a typed literal within
        if not isinstance(member, dict):
            break
        for name in ("value", "object", "@value"):
            if name in member:
                member = member[name]
                break
        else:
            break
    return None if member == _NULL else member
