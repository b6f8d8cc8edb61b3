"""Names that a user chooses from, where importing what they stand for would take seconds."""

POLICIES = ("network", "heuristic", "random")
DEVICES = ("auto", "cpu", "cuda")  # auto: CUDA where present
