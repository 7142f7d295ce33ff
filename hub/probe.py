"""Asks every address of a network range for ONVIF devices, by WS-Discovery over UDP unicast.

Multicast ends at the first router; the city's cameras stand behind many. One socket, so many
questions a second and no more, each address at most twice; only who was asked is heard.
"""

import errno
import socket
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from uuid import UUID, uuid4

from hub.errors import ConfigError, EnvironmentNotReadyError
from hub.onvif import ANSWER_MAX, Found, matches, probe

__all__ = ["PORT", "addresses_of", "discover"]

PORT = 3702
_USUAL_MAX = 2**12
_LARGE_MAX = 2**16
_PER_SECOND = 500
_BURST = 25
# An address that says more than this is not listened to any longer.
_ANSWERS_MAX = 4
# Once everybody has answered, what else they have to say follows at once.
_GRACE_S = 0.2

Address = IPv4Address | IPv6Address


def addresses_of(text: str, *, large: bool = False) -> list[Address]:
    """The addresses of a range such as 192.0.2.0/28; `ConfigError` for none, or for too many."""
    try:
        network: IPv4Network | IPv6Network = ip_network(text.strip(), strict=False)
    except ValueError as error:
        fix = "write it as 192.0.2.0/28, or one address"
        raise ConfigError(f"{text!r} is no network range", where="range", fix=fix) from error
    limit = _LARGE_MAX if large else _USUAL_MAX
    if network.num_addresses > limit:
        possible = not large and network.num_addresses <= _LARGE_MAX
        fix = "ask a smaller range, or add --large" if possible else "ask smaller ranges"
        wrong = f"{network} has {network.num_addresses:,} addresses, more than {limit:,}"
        raise ConfigError(wrong, where="range", fix=fix)
    return list(network.hosts())


def discover(
    addresses: list[Address],
    *,
    port: int = PORT,
    timeout_s: float = 4.0,
    message_id: UUID | None = None,
) -> list[Found]:
    """The devices that answer, in the order of their addresses.

    `timeout_s` is waited at most after the last question of each of two rounds.
    `EnvironmentNotReadyError` when nothing can be sent at all.
    """
    id_ = message_id or uuid4()
    wanted = {str(each) for each in addresses}
    found: dict[str, dict[str, Found]] = {}
    family = socket.AF_INET if addresses[0].version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        for _ in range(2):
            silent = [each for each in addresses if str(each) not in found]
            for burst in _bursts(silent):
                _ask(udp, burst, port, probe(id_))
                _listen(udp, len(burst) / _PER_SECOND, id_, wanted, found)
            if silent:
                _listen(udp, timeout_s, id_, wanted, found)
    return [each for address in addresses for each in found.get(str(address), {}).values()]


def _bursts(addresses: list[Address]) -> Iterator[list[Address]]:
    for start in range(0, len(addresses), _BURST):
        yield addresses[start : start + _BURST]


def _ask(udp: socket.socket, addresses: list[Address], port: int, question: bytes) -> None:
    for address in addresses:
        try:
            udp.settimeout(1)
            udp.sendto(question, (str(address), port))
        except OSError as error:
            # Nobody is there, or the system is behind: the address is asked once more, or silent.
            if error.errno not in (errno.EHOSTUNREACH, errno.ENOBUFS, errno.ECONNREFUSED):
                raise EnvironmentNotReadyError(
                    f"can't send to it: {error.strerror}",
                    where=str(address),
                    fix="run it on a machine that reaches these addresses",
                ) from error


def _listen(
    udp: socket.socket,
    seconds: float,
    id_: UUID,
    wanted: set[str],
    found: dict[str, dict[str, Found]],
) -> None:
    """Take answers for so long; not much longer once all have answered."""
    if len(found) == len(wanted):
        seconds = min(seconds, _GRACE_S)
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        udp.settimeout(left)
        try:
            answer, sender = udp.recvfrom(ANSWER_MAX + 1)
        except TimeoutError:
            return
        except ConnectionRefusedError:
            continue
        address = sender[0]
        if address not in wanted:
            continue
        for each in matches(answer, id_, address):
            told = found.setdefault(address, {})
            if len(told) < _ANSWERS_MAX:
                told.setdefault(each.endpoint, each)
        if len(found) == len(wanted):
            deadline = min(deadline, time.monotonic() + _GRACE_S)
