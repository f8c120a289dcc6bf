"""How the addresses of a company are formed, learned from known ones; no I/O."""
