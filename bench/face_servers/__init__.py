"""The servers that are compared: each has the same tool, written as its library's documents
show."""
