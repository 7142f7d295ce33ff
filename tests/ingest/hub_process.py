"""`hub run ingest` in a process of its own, without Kafka, and its configuration."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from ingest_support import post
from sources_rig import until


class Hub:
    """One ingest, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "hub.toml"
        self.secrets = folder / "secrets"
        self.secrets.mkdir()
        self.port = 0
        self.log = b""
        """What the last process wrote."""

    def write(self, sources: str) -> None:
        head = f'data = "{self.folder / "data"}"\nslot = "one"\n'
        ingest = f"[ingest]\nport = {self.port}\n[kafka]\nbootstrap = '127.0.0.1:1'\n"
        self.file.write_text(head + 'registry_url = "http://127.0.0.1:1/"\n' + ingest + sources)

    async def called(self, *words: str) -> tuple[int, str, str]:
        """Exit code, output and errors of a command."""
        process = await self._start(*words)
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def _start(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hub", "--config", str(self.file), *words),
            env={**os.environ, "HUB_SECRETS_DIR": str(self.secrets)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    @contextlib.asynccontextmanager
    async def running(self, sources: str):
        self.port = await free_port()
        self.write(sources)
        process = await self._start("run", "ingest")
        log = asyncio.create_task(process.stderr.read())
        try:
            await until(lambda: process.returncode is not None or self.answers())
            assert process.returncode is None, await log
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()
            self.log = await log

    def answers(self) -> bool:
        with contextlib.suppress(OSError):
            return post(self.port, "/healthz", None, key=None, method="GET").status == 200
        return False

    def states(self) -> dict:
        return post(self.port, "/sources", None, key=None, method="GET").json


async def free_port() -> int:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    return port


def polled(name: str, url: str, more: str = "") -> str:
    return (
        f'\n[source.{name}]\nconnector = "cap"\n[source.{name}.transport]\nkind = "http_poll"\n'
        f'url = "{url}"\nevery_s = 0.05\n{more}\n'
    )
