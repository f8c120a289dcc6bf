"""The documentation site, from the Markdown of the repository: `python3 tasks.py site`."""
