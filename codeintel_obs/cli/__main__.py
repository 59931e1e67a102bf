"""Lets `python -m codeintel_obs.cli` do what the console script does."""

import sys

from codeintel_obs.cli import main

if __name__ == "__main__":
    sys.exit(main())
