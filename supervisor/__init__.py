"""Starts Oven's processes, keeps them running, and leaves nothing behind when it stops.

Only the standard library is imported here: this process lives as long as Oven does and should stay small.
"""
