"""Faults made on purpose in a running simulated system, and a soak with faults at random.

``python -m benchmarks.faults`` (``make faults``), ``python -m benchmarks.faults.soak``
(``make soak``). Every fault is one function, registered by :func:`.trial.fault`.
"""
