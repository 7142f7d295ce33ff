"""The one error of the embedded stack."""

from hub.errors import EnvironmentNotReadyError

__all__ = ["StackError"]


class StackError(EnvironmentNotReadyError):
    """The embedded Kafka or registry cannot be fetched, started or stopped."""
