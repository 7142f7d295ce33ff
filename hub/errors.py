"""Every error of the hub, by what the caller does next.

| error | recovery | the caller |
|---|---|---|
| `ConfigError` | STOP | refuses to start; the text names file, key and expected value |
| `EnvironmentNotReadyError` | STOP | says what is missing (broker, disk) and how to mend it |
| `UnavailableError` | RETRY | waits with a capped, jittered back-off; nothing is lost |
| `FencedError` | STOP | leaves at once: another process owns the slot, or a time-out |
| `InvariantError` | STOP | leaves at once and touches nothing: the logs contradict each other |
| `PayloadError` | REJECT | writes the payload as a dead letter and goes on with its neighbours |
| `RecordError` | REJECT | writes the record as a dead letter and goes on with its neighbours |
| `IncompatibleSchemaError` | STOP | changes nothing; names the schema and who would break |

Callers switch on `recovery`, never on the class.
"""

from enum import Enum
from typing import ClassVar

__all__ = [
    "ConfigError",
    "EnvironmentNotReadyError",
    "FencedError",
    "HubError",
    "IncompatibleSchemaError",
    "InvariantError",
    "PayloadError",
    "RecordError",
    "Recovery",
    "UnavailableError",
]


class Recovery(Enum):
    """What a caller does after an error."""

    STOP = "stop"
    RETRY = "retry"
    REJECT = "reject"


class HubError(Exception):
    """Base of all errors of the hub: what happened, where, and how to mend it."""

    recovery: ClassVar[Recovery] = Recovery.STOP

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. To mend it: {self.fix}" if self.fix else text


class ConfigError(HubError):
    """The configuration or the way a command was called is wrong."""


class EnvironmentNotReadyError(HubError):
    """Something outside the hub is missing: broker, registry, disk, network, Java."""


class UnavailableError(HubError):
    """A service does not answer for now; the same call may succeed later."""

    recovery = Recovery.RETRY


class FencedError(HubError):
    """This process lost its place to another one and must not write any more."""


class InvariantError(HubError):
    """State, offsets or logs contradict each other; going on would lose or repeat events."""


class IncompatibleSchemaError(HubError):
    """A schema would break readers or writers of released versions."""


class PayloadError(HubError):
    """The payload is not what its source promised.

    `code` groups dead letters (short, kebab-case); `path` names the field (`a/b[2]/c`).
    """

    recovery = Recovery.REJECT

    def __init__(
        self, what: str, *, code: str = "malformed", path: str = "", fix: str = ""
    ) -> None:
        super().__init__(what, where=path, fix=fix)
        self.code = code
        self.path = path


class RecordError(HubError):
    """A record on a topic can't be decoded or processed; `code` groups dead letters."""

    recovery = Recovery.REJECT

    def __init__(self, what: str, *, code: str, where: str = "", fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix)
        self.code = code
