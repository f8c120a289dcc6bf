"""Learning how a company forms addresses from known ones. No I/O."""
