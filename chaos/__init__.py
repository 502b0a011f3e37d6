"""Breaks a scratch Oven while it works, round after round, and looks each time whether anything was lost.

`launch` lays out the scratch instance and starts this package in its environment (`__main__`): from there on Django's
settings are those of the scratch instance, and of no other. It knows no verb: work is asked for through REST, as
callers do, and looked at through what every kind of job has in common.
"""
