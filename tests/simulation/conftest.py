"""The simulation runs on Linux: its disk calls the system's functions for memory."""

import sys

collect_ignore_glob = [] if sys.platform == "linux" else ["test_*.py"]
