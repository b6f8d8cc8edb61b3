"""One-command bring-up: the system's nodes as supervised processes, without ``launch``."""
