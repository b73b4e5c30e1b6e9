"""`python -m octflow.cli` is the command `octflow`."""

from octflow.cli.main import main

main()
