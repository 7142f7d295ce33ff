"""What people decide about violation candidates: `case` has the rules, `log` reads and writes.

The hub never turns a candidate into a decision, nor a decision into anything else. Only the command
`hub violation` imports `log`; no stage does.
"""
