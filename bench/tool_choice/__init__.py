"""Whether hosts that search among many tools find ours for its tasks, and only for those.

`tasks.tsv` has what users ask, `servers.py` the real servers whose tools are searched as well. The
texts of others are not stored: each run installs the servers and asks them. `bm25.json` keeps what
the test needs: how often words occur in all tools, and the best scores of the others.
"""
