"""Quality tiers of connectors, from what their samples show; nobody sets one.

- bronze: module and options are documented, and each sample gives the outcomes beside it.
- silver: and three samples or more show every noun, something that is refused, and a quality flag.
- gold: and payloads were recorded in the field from two devices or firmwares, as `recorded` in
  their sidecars says.

All connectors of this repository keep the rules of conformance, whatever their tier.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.connector import Connector, Rejection
from hub.envelope import Canonical
from hub.errors import ConfigError
from hub.render import json_line
from hub.testing.samples import DryRun, Sample, decoded, lines, samples_in

__all__ = ["Evidence", "evidence_of", "samples_folder"]

_SAMPLES_SILVER = 3
_DEVICES_GOLD = 2


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a connector's samples show, its tier, and what the next tier lacks."""

    tier: str
    """`gold`, `silver`, `bronze`, or `none`."""
    samples: int
    lacks: tuple[str, ...]


@dataclass(slots=True)
class _Shown:
    nouns: set[str]
    devices: set[str]
    samples: int = 0
    refused: bool = False
    flagged: bool = False


def samples_folder(connector: Connector) -> Path | None:
    """Where its samples are: in the checkout or the package that its module stands in, or None."""
    module = sys.modules.get(connector.parse.__module__)
    file = Path(module.__file__) if module is not None and module.__file__ else None
    if file is None:
        return None
    places = [each / "tests" / "samples" / connector.name for each in file.parents[:3]]
    return next((each for each in (*places, file.parent / "samples") if each.is_dir()), None)


def evidence_of(
    connector: Connector, folder: Path | None, options: Mapping[str, Any] | None = None
) -> Evidence:
    """What the samples of a folder show; none when there is no folder."""
    shown = _Shown(set(), set())
    missing = list(_undocumented(connector))
    for sample in _samples(folder, options):
        shown.samples += 1
        if sample.recorded:
            shown.devices.add(sample.recorded)
        try:
            if not _as_expected(connector, sample, folder, shown):
                missing.append(f"{sample.name} does not give the outcomes beside it")
        except ConfigError as error:
            missing.append(f"{sample.name} with options that can be used ({error.what})")
    if not shown.samples:
        missing.append("a sample with its outcomes")
    if missing:
        return Evidence("none", shown.samples, tuple(missing))
    missing = list(_lacks_silver(connector, shown))
    if missing:
        return Evidence("bronze", shown.samples, tuple(missing))
    lacking = _DEVICES_GOLD - len(shown.devices)
    if lacking > 0:
        text = f"payloads recorded from {_DEVICES_GOLD} devices or firmwares; {lacking} to go"
        return Evidence("silver", shown.samples, (text,))
    return Evidence("gold", shown.samples, ())


def _samples(folder: Path | None, options: Mapping[str, Any] | None) -> list[Sample]:
    try:
        return samples_in(folder, options) if folder is not None else []
    except ConfigError:
        return []


def _undocumented(connector: Connector) -> Iterator[str]:
    module = sys.modules.get(connector.parse.__module__)
    if not (module.__doc__ if module else None):
        yield "a docstring of the module"
    for name, field in connector.options.model_fields.items():
        if not field.description:
            yield f"a description of the option {name}"


def _as_expected(connector: Connector, sample: Sample, folder: Path | None, shown: _Shown) -> bool:
    assert folder is not None
    expected = folder / f"{sample.name}.expected.jsonl"
    results = list(DryRun(connector, sample).results(sample.payload()))
    got = [json_line(line) for line in lines(sample.name, iter(results))]
    if not expected.exists() or expected.read_text("utf-8").splitlines() != got:
        return False
    events = [each for each in results if isinstance(each, Canonical)]
    shown.nouns |= {each.noun for each in events}
    shown.refused |= any(isinstance(each, Rejection) for each in results)
    shown.flagged |= any(decoded(each)["header"]["quality_flags"] for each in events)
    return True


def _lacks_silver(connector: Connector, shown: _Shown) -> Iterator[str]:
    if shown.samples < _SAMPLES_SILVER:
        yield f"{_SAMPLES_SILVER} samples or more; there are {shown.samples}"
    for noun in connector.emits:
        if noun not in shown.nouns:
            yield f"a sample that gives a {noun}"
    if not shown.nouns:
        yield "a sample that gives an event"
    if not shown.refused:
        yield "a sample in which something is refused"
    if not shown.flagged:
        yield "a sample with a quality flag"
