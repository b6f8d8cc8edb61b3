"""Pictures: overlays and reports, from data types alone."""
