"""The servers that are compared: each the same tool, as its library's documents write it."""
