"""Side-by-side benchmarks of Oven and of what else could be used in its place."""
