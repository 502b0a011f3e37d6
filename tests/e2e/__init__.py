"""Tests on a whole running Oven. A package, so that a fixture of its scope ends with it."""
