"""How a defect is told to a log: its kind and place, without its text."""

from __future__ import annotations

import traceback


def told(defect: BaseException) -> str:
    """Its kind, and where it was raised. Its message is left out: that may hold personal data."""
    place = "".join(traceback.format_tb(defect.__traceback__))
    return f"{type(defect).__name__}, most recent call last:\n{place}"
