"""The event hub: the names an integrator needs to write a connector."""

from hub.connector import (
    Area,
    Connector,
    Event,
    Inner,
    Nothing,
    Options,
    Outcome,
    Payload,
    Picture,
    Position,
    Rejection,
)
from hub.errors import PayloadError

__all__ = [
    "Area",
    "Connector",
    "Event",
    "Inner",
    "Nothing",
    "Options",
    "Outcome",
    "Payload",
    "PayloadError",
    "Picture",
    "Position",
    "Rejection",
]
__version__ = "0.1.0"
