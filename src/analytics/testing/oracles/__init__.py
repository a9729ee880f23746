"""Reference results computed in plain Python from the events, to compare a store with."""
