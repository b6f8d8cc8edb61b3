"""Learning from transitions: environment, rewards, replay, training."""
