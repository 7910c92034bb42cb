"""Glue workflow runs (to come)."""
