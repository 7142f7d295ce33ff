"""A thousand sources in one process, 5 % of them flapping: the others do not notice."""

import asyncio
import gc
from collections import Counter

import psutil
import pytest
from sources_rig import HEAD, Request, alert, http, part, peer, poll, rig, stream

pytestmark = pytest.mark.slow

POLLS, STREAMS = 900, 100
EVERY_S = 10.0
FLAPPING = {f"poll-{n}" for n in range(0, POLLS, 20)} | {f"stream-{n}" for n in range(0, 100, 20)}
ROUNDS = 5
MEMORY_MAX = 24 * 2**20


class City:
    """All the devices: polled documents that change, and streams with one part a period."""

    def __init__(self) -> None:
        self.answered: Counter[str] = Counter()
        self.bad = False

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        name = request.target[1:]
        bad = self.bad and name in FLAPPING
        if name.startswith("stream"):
            await self._stream(name, writer)
        elif bad and self.answered[name] % 2:
            self.answered[name] += 1
            writer.transport.abort()
        else:
            self.answered[name] += 1
            status = "503 Busy" if bad else "200 OK"
            writer.write(http(b"%d" % self.answered[name], status))

    async def _stream(self, name: str, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        while not writer.is_closing():
            self.answered[name] += 1
            writer.write(part(alert(self.answered[name])))
            await writer.drain()
            if self.bad and name in FLAPPING:
                writer.transport.abort()
            await asyncio.sleep(EVERY_S)

    def sound(self) -> list[int]:
        names = {f"poll-{n}" for n in range(POLLS)} | {f"stream-{n}" for n in range(STREAMS)}
        return [self.answered[name] for name in names - FLAPPING]


class Steady:
    """A flapping source comes back every second, as at its first failure."""

    def pause_s(self, *, held_s: float, retry_after_s: float | None = None) -> float:
        assert held_s >= 0
        assert retry_after_s is None
        return 1.0


def memory() -> int:
    gc.collect()
    return psutil.Process().memory_info().rss


def test_rates_stay_and_memory_too(tmp_path):
    city = City()

    async def rounds(count: int) -> list[int]:
        """Payloads of each sound source until the first one has had that many."""
        before = city.sound()
        async with asyncio.timeout(count * EVERY_S * 10):
            while True:
                await asyncio.sleep(0.1)
                gained = [now - then for now, then in zip(city.sound(), before, strict=True)]
                if max(gained) >= count and min(city.sound()) > 0:
                    return gained

    async def scenario():
        async with peer(city.answer, backlog=2_000) as server:
            sources = {
                f"poll-{n}": poll(
                    f"{server.url}/poll-{n}", every_s=EVERY_S, jitter=0.0, timeout_s=60
                )
                for n in range(POLLS)
            }
            sources |= {
                f"stream-{n}": stream(f"{server.url}/stream-{n}", silence_s=120)
                for n in range(STREAMS)
            }
            async with rig(tmp_path, sources) as hub:
                for task in hub.tasks.values():
                    task._backoff, task._spread_s = Steady(), EVERY_S
                await rounds(1)
                usual = await rounds(ROUNDS)
                calm = memory()
                city.bad = True
                meanwhile = await rounds(ROUNDS)
                for gained in (usual, meanwhile):
                    # The window begins just after some and ends just before others.
                    assert min(gained) >= ROUNDS - 2
                # A window ends with the fastest one, so two of them are not of one length.
                assert sum(meanwhile) > 0.8 * sum(usual)
                states = Counter(each["state"] for each in hub.sources.report().values())
                assert states["up"] >= POLLS + STREAMS - len(FLAPPING)
                outages = {id_: s["outages"] for id_, s in hub.sources.report().items()}
                assert {id_ for id_, count in outages.items() if count} == FLAPPING
                assert memory() - calm < MEMORY_MAX
                sound = sum(city.sound())
                kept = sum(1 for r in hub.durable() if r.headers[0][1].decode() not in FLAPPING)
                assert sound - 2 * (POLLS + STREAMS) <= kept <= sound

    asyncio.run(scenario())
