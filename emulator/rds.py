"""RDS DB instances that are real Postgres servers (to come)."""
