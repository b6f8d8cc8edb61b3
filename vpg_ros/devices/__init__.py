"""Cameras, arms and grippers behind one interface each."""
