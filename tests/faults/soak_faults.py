"""What goes wrong in a soak run, drawn from one seed: each fault begins, and is over by and by."""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from fault_rig import FaultRig
from proxy import Api

from hub.supervisor import Worker

__all__ = ["Troublemaker"]

Heal = Callable[[], object]
_ACTIONS = ("hold", "strand", "drop", "mute", "duplicate", "reset")
_IN_A_TRANSACTION = (Api.PRODUCE, Api.ADD_PARTITIONS, Api.TXN_OFFSET_COMMIT, Api.END_TXN)
# How long a broker is left alone after it came back: it must know its peers and logs again.
_RECOVERY_S = 8.0


@dataclass
class Troublemaker:
    """Begins a fault whenever one is due, and ends those whose time is over; call `tick` often."""

    rig: FaultRig
    chance: random.Random
    pause_s: tuple[float, float] = (2.0, 9.0)
    done: Counter[str] = field(default_factory=Counter)
    history: list[tuple[float, str]] = field(default_factory=list)
    killed: list[tuple[float, Worker]] = field(default_factory=list)
    _healing: list[tuple[float, Heal]] = field(default_factory=list)
    _next: float = 0.0
    _broker_free: float = 0.0
    _registry_free: float = 0.0
    _extra: int = 0

    def tick(self) -> None:
        now = time.monotonic()
        due = [each for each in self._healing if each[0] <= now]
        self._healing = [each for each in self._healing if each[0] > now]
        for _, heal in due:
            heal()
        if now >= self._next:
            self._next = now + self.chance.uniform(*self.pause_s)
            self._begin()

    def heal_all(self) -> None:
        """End every fault at once."""
        while self._healing:
            due, self._healing = self._healing, []
            for _, heal in due:
                heal()

    def _begin(self) -> None:
        kinds: dict[Callable[[], str], int] = {
            self._kill: 5,
            self._freeze: 3,
            self._broker: 2,
            self._wire: 8,
            self._weather: 1,
            self._registry: 1,
            self._rebalance: 2,
            self._poison: 2,
            self._duplicates: 2,
        }
        begin = self.chance.choices(list(kinds), list(kinds.values()))[0]
        if told := begin():
            self.done[told.partition(":")[0]] += 1
            self.history.append((time.time(), told))
            print(f"{time.strftime('%H:%M:%S')} {told}", flush=True)

    def _after(self, seconds: float, heal: Heal) -> None:
        self._healing.append((time.monotonic() + seconds, heal))

    def _someone(self) -> Worker | None:
        running = self.rig.workers()
        return self.chance.choice(running) if running else None

    # The faults; each says what it did, or nothing where it could not be done just now

    def _kill(self) -> str:
        worker = self._someone()
        if worker is None:
            return ""
        worker.kill()
        self.killed.append((time.time(), worker))
        return f"kill -9 of a worker: {worker.name}"

    def _freeze(self) -> str:
        worker, seconds = self._someone(), self.chance.choice((2, 9))
        if worker is None or worker.pid is None:
            return ""
        pid = worker.pid
        os.kill(pid, signal.SIGSTOP)

        def wake() -> None:
            if worker.pid == pid:
                os.kill(pid, signal.SIGCONT)

        self._after(seconds, wake)
        return f"SIGSTOP of a worker for {seconds} s: {worker.name}"

    def _broker(self) -> str:
        if time.monotonic() < self._broker_free:
            return ""
        brokers = self.rig.stack.brokers
        # One that is alone may lose the markers of transactions (ops/README.md, "Readers stop short
        # of the end"), and is only frozen.
        broker = self.chance.choice(brokers)
        how = self.chance.randrange(3) if len(brokers) > 1 else 0
        away_s = self.chance.uniform(1, 4.5)
        self._broker_free = time.monotonic() + away_s + _RECOVERY_S
        if how == 0:
            broker.pause()
            self._after(away_s, broker.resume)
            return f"SIGSTOP of a broker: {broker.node} for {away_s:.1f} s"
        if how == 1:
            broker.kill()
            self._after(away_s, broker.launch)
            return f"kill -9 of a broker: {broker.node} for {away_s:.1f} s"
        broker.ask_to_stop()

        def restart() -> None:
            broker.stop()
            broker.launch()

        self._after(away_s, restart)
        return f"restart of a broker: {broker.node}"

    def _wire(self) -> str:
        action, api = self.chance.choice(_ACTIONS), self.chance.choice(_IN_A_TRANSACTION)
        seconds, times = self.chance.choice((0.3, 1.5, 6.0)), self.chance.choice((1, 1, 1, 3))
        if self.chance.random() < 0.1:
            action, api, times = "drop", Api.HEARTBEAT, 100
        lasting = ExitStack()
        lasting.enter_context(self.rig.proxy.rule(action, api, seconds=seconds, times=times))
        self._after(7.0 if api is Api.HEARTBEAT else 4.0, lasting.close)
        return f"{action} of {api.name}: {times} times, {seconds} s"

    def _weather(self) -> str:
        proxy, lasting = self.rig.proxy, ExitStack()
        kind = self.chance.choice(("latency", "half-open", "reset"))
        if kind == "reset":
            proxy.reset_all()
        elif kind == "latency":
            lasting.enter_context(proxy.slow(latency_s=self.chance.uniform(0.05, 0.4)))
        else:
            lasting.enter_context(proxy.half_open())
        self._after(3.0, lasting.close)
        return f"{kind} of every connection"

    def _registry(self) -> str:
        if time.monotonic() < max(self._registry_free, self._broker_free):
            return ""
        self._registry_free = time.monotonic() + 30
        # A new start with nothing learnt has to ask.
        (self.rig.folder / "data" / "registry.json").unlink(missing_ok=True)
        lasting = ExitStack()
        mood = self.chance.choice(("away", "in trouble", "a page of somebody else's"))
        lasting.enter_context(self.rig.front.being(mood))
        self._after(5.0, lasting.close)
        return f"registry {mood}"

    def _rebalance(self) -> str:
        stage, lane = self.chance.choice(("normalise", "process")), self.chance.choice(
            self.rig.lanes
        )  # fmt: skip
        self._extra += 1
        worker = self.rig.hire(stage, lane, slot=f"extra{self._extra}")

        def leave() -> None:
            self.rig.supervisor.workers.pop(f"{stage}-{lane}-{worker.environment['HUB_SLOT']}")
            if worker.process is not None and worker.pid is not None:
                worker.process.send_signal(signal.SIGCONT)
                worker.process.send_signal(signal.SIGTERM)
                self._after(20.0, lambda: _insist(worker))

        self._after(self.chance.uniform(3, 8), leave)
        return f"a worker comes and goes: {stage} {lane}"

    def _poison(self) -> str:
        self.rig.poison(50)
        return "burst of poison: 50 payloads"

    def _duplicates(self) -> str:
        return f"duplicates: {self.rig.repeat(100)} payloads again"


def _insist(worker: Worker) -> None:
    """One that was asked to leave has left by now; else it is made to, as an operator would."""
    with suppress(subprocess.TimeoutExpired):
        assert worker.process is not None
        worker.process.wait(0.1)
    worker.kill()
