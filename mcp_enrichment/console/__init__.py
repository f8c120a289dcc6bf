"""The console: web pages on which operators look at a service and act on it."""
