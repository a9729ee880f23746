"""Process one partition of the log: its state, its batches, its outbox."""
