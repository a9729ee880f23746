"""In front of the modules: which path goes where, and what holds for every request."""
