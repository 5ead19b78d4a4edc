"""Started by the ./caisson script as `python3 tools/caisson`."""
import os
import sys

# Python puts this folder first on the path; the package's parent belongs there.
sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from caisson.cli import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
