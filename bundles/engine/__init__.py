"""Turns a piece's modules and the site's runtime into one HTML file that runs offline.

`engine.Engine` does it; `spec` says what is asked and what comes back, `errors` what can go wrong.
"""
