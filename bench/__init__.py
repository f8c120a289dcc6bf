"""Benchmarks: `python3 tasks.py bench`. Each compares two things side by side in one run."""
