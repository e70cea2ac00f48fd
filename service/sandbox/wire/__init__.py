"""What goes over HTTP: field checks, errors, time formats, JSON and HTML responses; no state."""
