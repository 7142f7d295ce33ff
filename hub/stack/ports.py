"""Ports of the embedded stack: free ones at the first start, the same ones ever after."""

import random
import socket

from hub.stack.errors import StackError

__all__ = ["HOST", "choose_ports", "is_free"]

HOST = "127.0.0.1"
# Below the range from which systems take ports for outgoing connections: a client's socket must
# not sit on a broker's port while that broker restarts.
LOWEST, HIGHEST = 20_000, 32_000


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def choose_ports(count: int, *, base: int | None, remembered: list[int]) -> list[int]:
    """The ports from `base` on, else those remembered if still free, else new free ones."""
    if base is not None:
        wanted = list(range(base, base + count))
        taken = [port for port in wanted if not is_free(port)]
        if taken:
            raise StackError(
                f"taken by another program: {', '.join(map(str, taken))}",
                where=f"ports {base} to {base + count - 1} of {HOST}",
                fix="stop that program, or choose another port base (or none: free ports "
                "are then found)",
            )
        return wanted
    if len(remembered) == count and all(map(is_free, remembered)):
        return remembered
    for _ in range(100):
        start = random.randrange(LOWEST, HIGHEST - count)  # noqa: S311 - no secret
        ports = list(range(start, start + count))
        if all(map(is_free, ports)):
            return ports
    raise StackError(
        "no free ports were found",
        where=f"ports {LOWEST} to {HIGHEST} of {HOST}",
        fix="stop programs that listen there, or give a port base",
    )
