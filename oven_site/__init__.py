"""Oven: live web pieces into media a site can serve."""
