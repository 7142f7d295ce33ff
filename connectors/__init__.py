"""Connectors: one module per kind of source, each with `parse` and `connector`."""
