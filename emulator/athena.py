"""Athena query executions (to come)."""
