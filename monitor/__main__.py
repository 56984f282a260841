"""``python -m monitor`` is ``perp-monitor``."""

import sys

from monitor.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
