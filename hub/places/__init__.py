"""Hanoi's roads, junctions and camera positions, dated: which one a text means.

`text` reads what people and devices write ("A - B (VT87)", "Km1716+005, Quốc lộ 1A"), `register`
the city's list of places, and `resolve` answers with ids. Pure: no clock, no network.
"""
