"""Where did event X go: its way through the hub, reconstructed from the topics alone.

    logs     finds records without decoding what it passes
    parsed   the payload, and the current parser's answer to it
    again    the steps of process, run again over the records of one key
    judge    holds that against the ledger and the subscribers' topics
    ways     puts an event's way together
    text     tells it to people

`Explainer` answers the three questions of `hub explain`.
"""

from hub.explain.explainer import Explainer
from hub.explain.model import Explanation, PayloadWay, Way

__all__ = ["Explainer", "Explanation", "PayloadWay", "Way"]
