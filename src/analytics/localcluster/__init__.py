"""Starts, checks and stops real servers on one machine, for `analytics cluster`."""
