"""Run the benches one after the other, each in a process of its own, and print their JSON lines.

Without names all are run: ``python tests/bench/run.py decode trigger``. Figures are reported, never asserted: they
depend on the host. Each line has the anchor, measured in turns in the same run, beside ours; ``aim`` is the ratio
that was hoped for.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
BENCHES = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", nargs="*", help=f"of: {', '.join(BENCHES)} (default: all)")
    names = parser.parse_args().bench
    unknown = sorted(set(names) - set(BENCHES))
    if unknown:
        parser.error(f"no bench named {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    environment = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
    failed = 0
    for name in names or BENCHES:
        script = HERE / f"bench_{name}.py"
        failed += subprocess.run([sys.executable, script], env=environment, check=False).returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
