"""`python -m callboard.apps.cli` is `callboard`."""

from callboard.apps.cli.program import main

main()
