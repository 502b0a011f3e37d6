"""Pages in a real browser, on a web process that is a thread of the test process: for what needs no worker.

A package, so that its browser is closed before tests of another directory start theirs.
"""
