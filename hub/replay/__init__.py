"""Sending again: dead letters whose cause is mended, and ranges of raw payloads.

`letters` chooses dead letters, `records` finds the records they are about, `verdict` says what
would become of them, `dead` does it. `lane` runs a range of payloads through the current
connectors, `compare` holds that against the canonical topics. `writer` alone writes, in
transactions.
"""
