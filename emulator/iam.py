"""Evaluates IAM policies for every call (to come)."""
