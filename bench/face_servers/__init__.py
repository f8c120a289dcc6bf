"""The servers that are compared: each has the same tool, as its library's documents write it."""
