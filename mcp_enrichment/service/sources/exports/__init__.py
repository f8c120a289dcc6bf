"""Contacts out of the files in which other programs export them."""
