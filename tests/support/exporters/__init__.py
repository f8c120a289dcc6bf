"""Exports of fictional people in each program's real format, and the expected contacts."""
