"""Benchmarks: `python3 tasks.py bench`. Each compares two things side by side in one run."""

import os

os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"  # a key would cost credits
