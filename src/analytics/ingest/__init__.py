"""Receives events: decodes them, enriches them, and appends them to the log without addresses."""
