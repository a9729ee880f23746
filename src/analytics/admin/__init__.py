"""Administrative operations, run in the process that owns the data folder."""
