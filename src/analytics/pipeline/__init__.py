"""Process hits into rows: sessions, duplicates, sources, channels. Pure: no clock and no I/O."""
