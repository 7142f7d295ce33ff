"""The test kit for connectors: dry runs, and the conformance every connector keeps.

    from hub.testing import check_connector
    assert check_connector(connector, Path("tests/samples/my_device")) == []

A sample is a recorded payload. Beside `<file>` may stand `<file>.meta.json` (what the transport
and the configuration would say: `content_type`, `received_at`, `meta`, `options`, `source_id`;
`personal`, texts in it that are a person's; `recorded`, the device and firmware it came from) and
stands `<file>.expected.jsonl`, the lines that `hub connector try` prints.
"""

from hub.discovery import options_of
from hub.testing.hints import hints, misspelt_identity
from hub.testing.rules import Problem, check_connector
from hub.testing.samples import (
    DryRun,
    Sample,
    content_type_of,
    decoded,
    dry_run,
    lines,
    payloads_per_s,
    samples_in,
    sidecar_of,
    update_expected,
)
from hub.testing.tiers import Evidence, evidence_of, samples_folder

__all__ = [
    "DryRun",
    "Evidence",
    "Problem",
    "Sample",
    "check_connector",
    "content_type_of",
    "decoded",
    "dry_run",
    "evidence_of",
    "hints",
    "lines",
    "misspelt_identity",
    "options_of",
    "payloads_per_s",
    "samples_folder",
    "samples_in",
    "sidecar_of",
    "update_expected",
]
