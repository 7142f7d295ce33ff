"""A real Apache Kafka and a real schema registry without containers or an installed Java.

`Stack` starts and stops them, `fetch` only downloads and verifies them (for machines that will
be offline later), `down` stops what another process started.
"""

from hub.stack.artifacts import Artifacts, fetch
from hub.stack.errors import StackError
from hub.stack.kafka import Broker
from hub.stack.stack import Stack, down

__all__ = ["Artifacts", "Broker", "Stack", "StackError", "down", "fetch"]
