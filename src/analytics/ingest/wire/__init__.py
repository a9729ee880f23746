"""One module per wire format that is accepted; `formats` is the table, `fields` what they share."""
