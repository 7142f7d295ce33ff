"""Who may post for which source.

A source is known by a bearer key, or by a secret at the end of the path for devices that can send
no header. Only SHA-256 hashes of either are configured. A secret path is taken only from the
networks in `auth.allow`; when that is empty, from this machine alone: to take it from everywhere
one must write `0.0.0.0/0` down. A source without credentials refuses everything, and an unknown
source is answered, also in time, as a known one with a wrong key.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from hub.config import SourceConfig
from hub.errors import ConfigError

__all__ = ["Door"]

_HEX = re.compile(r"[0-9a-f]{64}")
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
Network = IPv4Network | IPv6Network


class Door:
    """Checks credentials; its repr and its errors hold none."""

    def __init__(self, sources: Mapping[str, SourceConfig]) -> None:
        pushed = {id_: s for id_, s in sources.items() if s.transport.kind == "http_push"}
        most = max(
            (max(len(s.auth.bearer_sha256), len(s.auth.path_sha256)) for s in pushed.values()),
            default=0,
        )
        # As many comparisons for every source, configured or not.
        self._nobody = ("-" * 64,) * max(most, 2)
        self._bearer = {
            id_: self._hashes(id_, "bearer_sha256", s.auth.bearer_sha256)
            for id_, s in pushed.items()
        }
        self._path = {
            id_: self._hashes(id_, "path_sha256", s.auth.path_sha256) for id_, s in pushed.items()
        }
        self._networks = {id_: _networks(id_, s.auth.allow) for id_, s in pushed.items()}

    def bearer(self, source_id: str, authorization: str) -> bool:
        """Whether this `Authorization` header is one of the source's keys."""
        scheme, _, key = authorization.partition(" ")
        right = self._matches(self._bearer.get(source_id, self._nobody), key.strip())
        return right and scheme.lower() == "bearer"

    def path(self, source_id: str, secret: str, peer: str) -> bool:
        """Whether this secret is the source's, and the peer in its networks."""
        right = self._matches(self._path.get(source_id, self._nobody), secret)
        return right and _within(peer, self._networks.get(source_id, ()))

    def _matches(self, hashes: Iterable[str], secret: str) -> bool:
        given = hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
        right = False
        for expected in hashes:
            right |= hmac.compare_digest(given, expected)
        # A file that was empty has a hash too.
        return right and secret != ""

    def _hashes(self, source_id: str, key: str, hashes: tuple[str, ...]) -> tuple[str, ...]:
        lower = tuple(text.lower() for text in hashes)
        if not all(_HEX.fullmatch(text) for text in lower):
            raise ConfigError(
                "not a SHA-256 in hex",
                where=f"source.{source_id}.auth.{key}",
                fix="write what `printf %s KEY | sha256sum` prints, never the key",
            )
        return lower + self._nobody[len(lower) :]


def _networks(source_id: str, allow: tuple[str, ...]) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(text) for text in allow) or _LOOPBACK
    except ValueError as error:
        raise ConfigError(
            f"not a network: {error}",
            where=f"source.{source_id}.auth.allow",
            fix="write networks in CIDR form, such as 10.20.0.0/16",
        ) from error


def _within(peer: str, networks: tuple[Network, ...]) -> bool:
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
