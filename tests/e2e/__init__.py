"""Tests on a whole running Oven. This is a package so that package-scoped fixtures end with it."""
