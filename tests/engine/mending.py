"""For tests of sending again: stages before a fault was mended, commands that die, payloads."""

import hashlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from harness import ID_KEY, ROOT, Rig

RAW_SIGNALS, SOURCE = "raw.spat.v1", "spat-centre"
numbers = itertools.count(1)

# Versions from before a fault was mended. One does not know the middle intersection of three, one
# dies of what it does not know, one loses some plate reads and calls others by a wrong name.
UNKNOWING = """
from dataclasses import replace as _replace

_whole = parse


def parse(payload, options):
    for outcome in _whole(payload, options):
        known = not isinstance(outcome, Event) or not outcome.device_ref.endswith("2222")
        yield outcome if known else Rejection(code="unknown-junction", message="it is new")


connector = _replace(connector, parse=parse, version="0")
"""
DYING = UNKNOWING.replace(
    'yield outcome if known else Rejection(code="unknown-junction", message="it is new")',
    "yield outcome if known else 1 / 0",
)
WRONG = """
from dataclasses import replace as _replace

_whole = parse


def parse(payload, options):
    for outcome in _whole(payload, options):
        if isinstance(outcome, Event) and outcome.noun == "plate_read":
            turn = sum(outcome.device_ref.encode()) % 3
            if turn == 0:
                outcome = Nothing(why="lost by a fault")
            elif turn == 1:
                outcome = _replace(outcome, kind="vehicle.wrong")
        yield outcome


connector = _replace(connector, parse=parse, version="0")
"""
BLIND = """
_find = DeviceRegister.find


def _blind(self, source_id, device_ref, at_us):
    if device_ref.endswith("7777"):
        raise ValueError("a step that does not know this junction")
    return _find(self, source_id, device_ref, at_us)


DeviceRegister.find = _blind
"""


def before(folder: Path, package: str, module: str, fault: str) -> Path:
    """A copy of a package in which one module still has its fault."""
    shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / package / module).open("a", encoding="utf-8") as file:
        file.write(fault)
    return folder


def killed(rig: Rig, point: str, *words: object) -> None:
    """Run a command that dies of SIGKILL at a named point."""
    command = [sys.executable, "-m", "hub", "--config", str(rig.config_file), *map(str, words)]
    environment = {**os.environ, "HUB_ID_KEY": ID_KEY, "HUB_FAILPOINT": point}
    done = subprocess.run(
        command, check=False, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


def signals(*junctions: int) -> tuple:
    """A payload with the state of these intersections, as the controller centre sends them."""
    sample = ROOT / "tests" / "samples" / "spat" / "frame_giai_phong.json"
    document = json.loads(sample.read_text("utf-8"))
    (one,) = document["payload"]["data"]["value"]["SPAT"]["intersections"]
    document["payload"]["data"]["value"]["SPAT"]["intersections"] = [
        {**one, "id": {"region": 84, "id": junction}, "revision": next(numbers) % 128}
        for junction in junctions
    ]
    body = json.dumps(document).encode()
    headers = {
        "source_id": SOURCE,
        "payload_id": f"signals-{next(numbers)}",
        "received_at": datetime.now(UTC).isoformat(),
        "content_type": "application/json",
        "sha256": hashlib.sha256(body).hexdigest(),
        "transport": "http_push",
    }
    pairs = [(name, text.encode()) for name, text in headers.items()]
    return RAW_SIGNALS, SOURCE.encode(), body, pairs
