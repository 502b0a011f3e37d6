"""The demo piece site: a handful of small live pieces to capture."""
