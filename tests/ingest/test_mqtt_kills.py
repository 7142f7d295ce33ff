"""Ingest killed at any moment while a broker delivers: nothing is lost, nothing has two ids."""

import asyncio
import random
from collections import defaultdict
from pathlib import Path

import pytest
from hub_process import Hub
from ingest_support import logged, post
from mosquitto import mosquitto, needs_mosquitto, publisher
from sources_rig import headers_of, until

from hub.ingest.records import RawRecord

pytestmark = [needs_mosquitto, pytest.mark.slow, pytest.mark.timeout(300)]
KILLS = 5


def taken(folder: Path) -> list[RawRecord]:
    return [
        record for lane in ("urgent", "bulk") for record in logged(folder / "data", "one", lane)
    ]


def records_in_log(hub: Hub) -> int:
    ready = post(hub.port, "/readyz", None, key=None, method="GET").json
    return sum(ready["log_records"].values())


async def settled(hub: Hub, least: int) -> None:
    """Wait until it has that much, and no more comes; what is there is looked at later.

    Repeats are counted too and a busy machine pauses, so this may be too early: begin again then.
    """
    await until(lambda: hub.states()["s1"]["state"] == "up")
    before = -1
    while not before == (before := records_in_log(hub)) >= least:  # noqa: ASYNC110 - another process
        await asyncio.sleep(1)


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_kills_lose_nothing_and_nothing_gets_a_second_payload_id(tmp_path, version):
    sent: list[bytes] = []

    async def publish(device, ending: asyncio.Event) -> None:
        while not ending.is_set():
            for _ in range(20):
                sent.append(b"%d" % len(sent))
                device.begin("city/x", sent[-1])
            await asyncio.to_thread(device.send, "city/last", b"pause")

    async def scenario():
        hub = Hub(tmp_path)
        chance = random.Random(7)
        with mosquitto(tmp_path / "broker") as broker, publisher(broker) as device:
            entry = (
                '[source.s1]\nconnector = "cap"\nlimits = { per_second = 1e6, burst = 1000000 }\n'
                f'[source.s1.transport]\nkind = "mqtt"\nurl = "{broker.url}"\n'
                f'topics = ["city/#"]\nversion = "{version}"\n'
            )
            ending = asyncio.Event()
            publishing = None
            for _ in range(KILLS):
                async with hub.running(entry) as process:
                    await until(lambda: hub.states()["s1"]["state"] == "up")
                    publishing = publishing or asyncio.create_task(publish(device, ending))
                    await asyncio.sleep(chance.uniform(0.05, 0.6))
                    process.kill()
                    await process.wait()
            ending.set()
            await publishing
            for _ in range(5):
                async with hub.running(entry):
                    await settled(hub, len(sent))
                if set(sent) <= {each.value for each in taken(tmp_path)}:
                    break

    asyncio.run(asyncio.wait_for(scenario(), 280))
    ids = defaultdict(set)
    for record in taken(tmp_path):
        if record.value != b"pause":
            ids[record.value].add(headers_of(record)["payload_id"])
    assert len(sent) > 20 * KILLS
    assert set(ids) == set(sent)
    assert [body for body, found in ids.items() if len(found) > 1] == []
