"""The HTTP APIs over the figures: Stats API versions 1 and 2, and the ledger."""
