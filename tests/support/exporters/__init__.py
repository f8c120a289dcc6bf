"""Exports of fictional people in each program's real shape, and what is to be made of them."""
