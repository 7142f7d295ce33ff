"""Ingest: takes payloads from sources and makes them durable; it never parses and never rewrites.

In reading order: `framing` (bytes on disk, pure), `recovery` (what a crash leaves), `log` (the
bounded local log of one lane), `records` (one raw record), `intake` (a payload becomes a raw
record), `auth` and `limits` (who may send how much), `server` (HTTP), `drop` (watched folders),
`sources` (what the hub goes to), `mark` and `drainer` (the log moves to Kafka, exactly once),
`main` (all of it together).
"""
