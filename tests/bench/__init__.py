"""Measurements with targets: ``make bench`` runs each ``bench_*.py`` and prints one table."""
