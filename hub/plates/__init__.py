"""Licence plates of Vietnam: normalise, match the grammar, repair one misread character, explain.

    reading = read("30F-256.58", category="CAR", colour="WHITE")
    reading.candidate.display      # '30F-256.58'
    vehicle_key(reading).weak      # False

Pure: no clock, no network, no memory of plates between calls. The rules are those of Law 36/2024,
article 36, and Circular 79/2024/TT-BCA, article 37 and Appendices 02 to 04. A plate is personal
data (Decree 356/2025/ND-CP, article 3): nothing of a `Reading` belongs in a log, a metric, a record
key or a header.
"""

from hub.plates.grammar import Candidate, Kind
from hub.plates.key import VehicleKey, vehicle_key
from hub.plates.pseudonym import Pseudonyms
from hub.plates.reading import Reading, read
from hub.plates.repair import Repair, look_alikes
from hub.plates.tables import CATEGORIES, COLOURS

__all__ = [
    "CATEGORIES",
    "COLOURS",
    "Candidate",
    "Kind",
    "Pseudonyms",
    "Reading",
    "Repair",
    "VehicleKey",
    "look_alikes",
    "read",
    "vehicle_key",
]
