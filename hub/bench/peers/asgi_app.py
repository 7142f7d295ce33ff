"""The limit of taking payloads over HTTP: an ASGI app that reads the body and answers.

It runs in an environment of its own (`hub.bench.peering`), on uvicorn; it keeps nothing and checks
nothing. It says the port it listens on, and ends when standard input is closed.
"""

import json
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn  # type: ignore[import-not-found]  # installed where it runs, and nowhere else

__all__ = ["app", "main"]

_ANSWER = b'{"payload_id":"019ac5f0-0000-7000-8000-000000000000"}'


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Read a request to its end, and say yes."""
    if scope["type"] != "http":
        return
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    length = str(len(_ANSWER)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _ANSWER})


def main() -> int:
    """Serve until standard input is closed."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="warning"
    )
    server = uvicorn.Server(config)

    def listen() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=listen, daemon=True).start()
    print(json.dumps({"say": "ready", "port": listening.getsockname()[1]}), flush=True)
    server.run(sockets=[listening])
    return 0


if __name__ == "__main__":
    sys.exit(main())
