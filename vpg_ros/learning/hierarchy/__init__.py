"""Choosing the primitive first: how that is learned, and the study of what it brings."""
