"""Glue job runs (to come)."""
