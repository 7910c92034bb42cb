"""The clock of scheduled crawlers and triggers (to come)."""
