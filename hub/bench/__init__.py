"""Benchmarks: what the stages cost, as ratios to what the client library can do, in one run."""
