"""Signals of jobs."""

from django.dispatch import Signal

# Sent in the transaction that ends them. `sender` is the model, `jobs` are its rows: several that were cancelled at
# once while they waited, else one.
jobs_ended = Signal()
