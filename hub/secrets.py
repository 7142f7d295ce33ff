"""Secrets that the hub sends to sources: from the environment, never from its configuration.

A source's entry names a secret, say `RING_ROAD_PASSWORD`. It is the variable of that name, or else
the file of that name in the folder `HUB_SECRETS_DIR`, which is read anew at every `hub reload`: so
a secret can be added or replaced without a restart.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from hub.errors import ConfigError

__all__ = ["secret"]


def secret(name: str, *, where: str, environment: Mapping[str, str] = os.environ) -> str:
    """The secret of that name; `ConfigError` names the setting that asks for it."""
    value = environment.get(name, "")
    folder = environment.get("HUB_SECRETS_DIR", "")
    if not value and folder:
        try:
            value = (Path(folder) / name).read_text("utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"can't read the secret {name}: {error}",
                where=where,
                fix=f"set {name}, or put it into a file of that name in HUB_SECRETS_DIR",
            ) from error
    if not value:
        raise ConfigError(
            f"the secret {name} is not set",
            where=where,
            fix=f"set {name}, or put it into a file of that name in HUB_SECRETS_DIR",
        )
    return value
