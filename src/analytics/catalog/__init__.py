"""The catalog: everything that people set up, as opposed to the events that visitors send."""
