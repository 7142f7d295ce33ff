"""The processing steps: deduplicate, last state, place, route, view, and their composition.

Pure: records in, decisions out. No Kafka, no socket, no clock; time is what a record carries. Read
`process` first: it puts the steps in their order.
"""
