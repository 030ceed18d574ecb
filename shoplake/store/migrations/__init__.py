"""Alembic migrations of the operational store."""

HEAD = "0007"
"""The newest revision; a test holds it to the scripts."""
