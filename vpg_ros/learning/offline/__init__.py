"""Learning from a log alone: data sets, algorithms, and what can be said without acting."""
