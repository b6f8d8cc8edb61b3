"""Names that a user chooses from, where importing what they stand for would take seconds."""

POLICIES = ("network", "heuristic", "random")
DEVICES = ("auto", "cpu", "cuda")  # auto: CUDA where present
HEADS = ("scalar", "categorical", "quantile", "implicit")
RISKS = ("mean", "cvar", "var", "wang", "power", "mean_std")
DATASETS = ("random", "scripted", "mixed", "expert", "expert-no-push", "replay")
OFFLINE_VARIANTS = (
    *("plain", "few-pushes", "half-pushes", "short-sighted", "far-sighted", "not-conservative"),
    *("conservative", "push-reward", "no-augmentation", "all-at-once", "distributional"),
    "cautious",
)
OFFLINE_ALGORITHMS = ("awac", "bc", "cql", "double-dqn", "dqn", "filtered-bc", "iql")
