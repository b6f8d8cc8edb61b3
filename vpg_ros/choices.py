"""Names that a user chooses from, where importing what they stand for would take seconds."""

POLICIES = ("network", "heuristic", "random")
DEVICES = ("auto", "cpu", "cuda")  # auto: CUDA where present
DATASETS = ("random", "scripted", "mixed", "expert", "expert-no-push", "replay")
OFFLINE_ALGORITHMS = ("awac", "bc", "cql", "double-dqn", "dqn", "filtered-bc", "iql")
