"""One module per wire format that we accept; each turns a body into `RawEvent`."""
