"""Writes `models.py`: typed dictionaries for every record, so that mypy checks what parsers build.

Plain dictionaries cost nothing at run time and go straight to the Avro encoder.
"""

from typing import Any

import schemas

__all__ = ["models_source"]

_HEAD = '''"""Typed dictionaries of every Avro record; generated from avro/*.avsc, do not edit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NotRequired, TypedDict

'''
_PYTHON = {
    "null": "None",
    "boolean": "bool",
    "int": "int",
    "long": "int",
    "float": "float",
    "double": "float",
    "bytes": "bytes",
    "string": "str",
}


def models_source() -> str:
    """The text of `models.py`."""
    blocks: dict[str, str] = {}
    names = ["header", "restricted", *schemas.nouns()]
    names += ["appended", *(topic.schema for topic in schemas.own_topics().values())]
    for name in names:
        found = schemas.source(name)
        for schema in found if isinstance(found, list) else [found]:
            _define(schema, blocks)
    listed = "".join(f'    "{name}",\n' for name in sorted(blocks))
    return f"{_HEAD}__all__ = [\n{listed}]\n\n" + "\n".join(blocks.values())


def _define(schema: Any, blocks: dict[str, str]) -> str:
    """The Python type of a schema; named types are added to `blocks` once."""
    if isinstance(schema, str):
        return _PYTHON.get(schema, schema)
    if isinstance(schema, list):
        return " | ".join(sorted((_define(each, blocks) for each in schema), key=_null_last))
    kind = schema["type"]
    if kind == "array":
        return f"Sequence[{_define(schema['items'], blocks)}]"
    if kind == "fixed":
        return _alias(schema, "bytes", blocks)
    if kind == "enum":
        symbols = ", ".join(f'"{symbol}"' for symbol in schema["symbols"])
        return _alias(schema, f"Literal[{symbols}]", blocks)
    if kind == "record":
        lines = [f"class {schema['name']}(TypedDict):", f'    """{schema["doc"]}"""', ""]
        for field in schema["fields"]:
            type_ = _define(field["type"], blocks)
            required = f"NotRequired[{type_}]" if "default" in field else type_
            lines += [f"    {field['name']}: {required}", f'    """{field["doc"]}"""']
        blocks.setdefault(schema["name"], "\n" + "\n".join(lines) + "\n")
        return str(schema["name"])
    if schema.get("logicalType", "").startswith("timestamp-"):
        return "datetime"
    return _PYTHON[kind]


def _alias(schema: Any, type_: str, blocks: dict[str, str]) -> str:
    blocks.setdefault(schema["name"], f'\n{schema["name"]} = {type_}\n"""{schema["doc"]}"""\n')
    return str(schema["name"])


def _null_last(type_: str) -> bool:
    return type_ == "None"
