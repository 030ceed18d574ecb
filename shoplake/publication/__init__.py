"""Writes the served release into a PostgreSQL database, for BI tools, with the rights of the same policy."""
