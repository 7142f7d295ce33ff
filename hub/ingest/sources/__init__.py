"""Sources that the hub goes to: one supervised task each, all in the event loop of ingest.

In reading order: `transport` (what a kind of transport is), `inlet` (what it hands payloads to),
`backoff`, `state` (what operators see), `task` (keeps one source going), `cursors` (how far a
source was read, durable), `runner` (all of them, and what a reload changes); then one module for
each kind, named as in the configuration, with `connect(source)`.
"""
