"""``perp-monitor``: finds the verb, and turns errors into words and exit codes.

0 done; 1 a failure while running; 2 the operator's file or the call is wrong, nothing was started.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from monitor.cli import check_config, decode, demo, explain, run, venues, version, watch
from monitor.errors import ConfigError, MonitorError

VERBS = (run, demo, check_config, explain, decode, venues, watch, version)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="perp-monitor", description="Warns before leveraged perpetual positions are liquidated."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in VERBS:
        verb.add(verbs)
    options = parser.parse_args(arguments)
    try:
        code: int = options.run(options)
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return 2
    except MonitorError as error:
        print(f"perp-monitor: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130
    return code
