"""Glue Data Catalog (to come)."""
