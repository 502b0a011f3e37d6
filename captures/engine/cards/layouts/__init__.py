"""One module a layout: `compose(shown)` draws it, and `SHOT` and `PIECES` say what it needs."""
