"""From heightmap to action: network, value heads, selection, checkpoints."""
