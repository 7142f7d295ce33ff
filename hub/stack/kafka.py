"""One Kafka node of the embedded stack: its settings, its format on disk, its readiness."""

import os
import signal
import socket
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hub.stack.errors import StackError
from hub.stack.ports import HOST
from hub.stack.process import JavaProcess, java

__all__ = ["Broker", "live_brokers"]

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 15.0
METADATA_KEY, METADATA_VERSION = 3, 1

JVM = ("-Xms128m", "-Xmx400m", "-XX:+UseSerialGC", "-Djava.awt.headless=true")

SETTINGS = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=BROKER://{host}:{port},CONTROLLER://{host}:{controller_port}{proxied}
advertised.listeners=BROKER://{host}:{port}{advertised}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs={data}
# Topics are declared and applied, never made by a misspelt name.
auto.create.topics.enable=false
log.message.timestamp.type=LogAppendTime
default.replication.factor={replicas}
min.insync.replicas={in_sync}
unclean.leader.election.enable=false
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=8
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=1
# A crashed worker's open transaction holds its readers back: look for those every second.
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms={gather_ms}
# Sized for one small machine.
num.network.threads=2
num.io.threads=4
background.threads=4
log.cleaner.dedupe.buffer.size=16777216
"""

LOGGING = """\
status=error
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName={log}
appender.file.filePattern={log}.%i
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d %p %c{{1}} %m%n
appender.file.policies.type=Policies
appender.file.policies.size.type=SizeBasedTriggeringPolicy
appender.file.policies.size.size=10MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=2
rootLogger.level=warn
rootLogger.appenderRef.file.ref=file
logger.server.name=kafka.server
logger.server.level=info
"""


class Broker:
    """One node, broker and controller at once; its ports stay the same when it restarts.

    `behind` is a second listener for clients that come through a proxy: the port it has, and the
    proxy's port, which it tells those clients so that they stay on the proxy.
    """

    def __init__(
        self,
        node: int,
        *,
        ports: Sequence[tuple[int, int]],
        jars: Sequence[Path],
        folder: Path,
        cluster_id: str,
        behind: tuple[int, int] | None = None,
        gather_ms: int = 0,
    ) -> None:
        self.node = node
        self._gather_ms = gather_ms
        self.behind = behind
        self.port, self._controller_port = ports[node - 1]
        self.bootstrap = f"{HOST}:{self.port}"
        self._ports = ports
        self._data = folder / f"broker-{node}"
        self._class_path = os.pathsep.join(map(str, jars))
        self._cluster_id = cluster_id
        self._settings = folder / "config" / f"broker-{node}.properties"
        self._logging = folder / "config" / f"broker-{node}.log4j2.properties"
        program = ["-cp", self._class_path, "kafka.Kafka", str(self._settings)]
        logging = f"-Dlog4j2.configurationFile={self._logging}"
        command = [str(java()), *JVM, logging, *program]
        self._process = JavaProcess(f"broker-{node}", command, folder=folder)

    @property
    def pid(self) -> int | None:
        """The process id while the broker runs (also while it is paused)."""
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers clients; does nothing when it runs."""
        self.launch()
        self.wait_ready()

    def stop(self) -> None:
        """Stop it cleanly."""
        self._process.stop(timeout_s=STOP_TIMEOUT_S)

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, no client is told."""
        self._process.kill()

    def pause(self) -> None:
        """SIGSTOP: its connections stay open and nothing answers."""
        self._process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT after `pause`."""
        self._process.signal(signal.SIGCONT)

    def launch(self) -> None:
        """Format its folder at the very first start, then start it without waiting."""
        self._settings.write_text(self._settings_text(), encoding="utf-8")
        self._logging.write_text(LOGGING.format(log=self._process.log), encoding="utf-8")
        if not (self._data / "meta.properties").exists():
            self._format()
        self._process.start()

    def wait_ready(self, *, live: int = 1) -> None:
        """Wait until it answers and knows of at least `live` brokers."""
        self._process.wait_until(lambda: live_brokers(self.port) >= live, timeout_s=START_TIMEOUT_S)

    def ask_to_stop(self) -> None:
        """Begin a clean stop without waiting for its end."""
        self._process.ask_to_stop()

    def _settings_text(self) -> str:
        count = len(self._ports)
        voters = (
            f"{node}@{HOST}:{controller}" for node, (_, controller) in enumerate(self._ports, 1)
        )
        own, shown = self.behind or (0, 0)
        return SETTINGS.format(
            proxied=f",PROXIED://{HOST}:{own}" if self.behind else "",
            advertised=f",PROXIED://{HOST}:{shown}" if self.behind else "",
            node=self.node,
            voters=",".join(voters),
            host=HOST,
            port=self.port,
            controller_port=self._controller_port,
            data=self._data,
            replicas=min(3, count),
            in_sync=2 if count >= 3 else 1,
            gather_ms=self._gather_ms,
        )

    def _format(self) -> None:
        tool = ["-cp", self._class_path, "kafka.tools.StorageTool", "format"]
        arguments = ["-t", self._cluster_id, "-c", str(self._settings)]
        # One short run: compiling thoroughly would cost more than it saves.
        jvm = ["-Xmx100m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        done = subprocess.run(
            [str(java()), *jvm, *tool, *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            lines = (done.stdout + done.stderr).strip().splitlines()[-5:]
            raise StackError(
                "the broker's folder could not be formatted: " + " / ".join(lines),
                where=str(self._data),
                fix="make the folder writable and empty, or choose another data folder",
            )


def live_brokers(port: int) -> int:
    """How many brokers the one on this port knows to be alive; 0 while it does not answer.

    A Metadata request by hand (all versions since the first carry the list of brokers): an open
    port alone is too early, and a client library would wait and log in its own way.
    """
    client = b"hub.stack"
    head = struct.pack(">hhih", METADATA_KEY, METADATA_VERSION, 0, len(client)) + client
    request = head + struct.pack(">i", 0)  # no topics
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.settimeout(2)
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as answer:
                data = answer.read(12)  # size, correlation id, number of brokers
    except OSError:
        return 0
    return int(struct.unpack(">iii", data)[2]) if len(data) == 12 else 0
