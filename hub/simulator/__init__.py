"""The simulated city: hundreds of devices in their vendors' formats, and what must come of it.

    plan = Plan(seed=7, seconds=30, start=datetime.now(UTC))
    truth = await drive(plan, "http://127.0.0.1:8080", credentials(7), speed=1)
    report = check(truth, delivered, dead_letters)

`sources(seed)` and `register_csv(seed)` give the hub the same city's sources and devices.
"""

from hub.simulator.check import Report, TopicCount, check
from hub.simulator.city import City, Credential, build, credentials, register_csv, sources
from hub.simulator.drive import drive
from hub.simulator.plan import Plan
from hub.simulator.schedule import Rates
from hub.simulator.truth import Expectation, Fact, MatchKey, Shot, Truth

__all__ = [
    "City",
    "Credential",
    "Expectation",
    "Fact",
    "MatchKey",
    "Plan",
    "Rates",
    "Report",
    "Shot",
    "TopicCount",
    "Truth",
    "build",
    "check",
    "credentials",
    "drive",
    "register_csv",
    "sources",
]
