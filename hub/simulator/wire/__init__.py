"""Writers of what devices put on the wire: one module per format, values in, bytes out."""
