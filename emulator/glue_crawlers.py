"""Glue crawls (to come)."""
