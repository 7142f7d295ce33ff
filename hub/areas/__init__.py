"""Hanoi's administrative areas, dated: which unit is meant, and what it was or became.

`tables` holds the register, `names` compares spellings, `resolve` answers; `points` finds the unit
of a position in boundaries that an operator imports (`geojson`), `coordinates` checks positions
before they are believed. Only `points`, `geojson` and `coordinates` need a geometry library, so
that the steps of process load none for looking up codes.
"""
