"""`python -m codeintel_rev` is `codeintel-rev`."""

import sys

from codeintel_rev.cli import main

if __name__ == "__main__":
    sys.exit(main())
