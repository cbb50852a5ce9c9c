"""Benchmarks of what the package promises; run by hand, not by pytest."""
