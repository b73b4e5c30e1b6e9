"""`python -m octflow` is the command `octflow`."""

from octflow.cli.main import main

main()
