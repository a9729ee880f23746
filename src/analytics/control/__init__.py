"""The control socket, through which commands reach the server that owns a data folder."""
