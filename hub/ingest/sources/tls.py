"""TLS towards sources: one context for all that have the same settings, as each takes memory."""

import ssl
from functools import lru_cache
from pathlib import Path

from hub.errors import ConfigError
from hub.transports import Tls

__all__ = ["tls_context"]


def tls_context(tls: Tls, *, where: str) -> ssl.SSLContext:
    """How to speak TLS to a source; `ConfigError` names the setting that can't be used."""
    try:
        files = tuple((path, path.stat().st_mtime_ns) for path in tls.files())
        return _context(tls, files)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"no certificates: {error}",
            where=where,
            fix="name PEM files that this user can read",
        ) from error


@lru_cache(maxsize=256)
def _context(tls: Tls, _files: tuple[tuple[Path, int], ...]) -> ssl.SSLContext:
    """A context; the files' times are part of its name, so that a renewed certificate is read."""
    context = ssl.create_default_context(cafile=str(tls.ca) if tls.ca else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = tls.check_name
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key)
    return context
