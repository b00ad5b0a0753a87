"""One file per EMR application, beside its lock."""
