"""Figures of other products, brought in as daily sums, which are kept apart from events."""
