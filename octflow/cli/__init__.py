"""One file per command of `octflow`."""
