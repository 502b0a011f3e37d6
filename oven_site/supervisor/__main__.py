"""`python -m oven_site.supervisor`."""

import sys

from oven_site.supervisor.cli import main

if __name__ == "__main__":
    sys.exit(main())
