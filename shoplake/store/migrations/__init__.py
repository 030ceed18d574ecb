"""Alembic migrations of the operational store."""

HEAD = "0008"
"""The newest revision; a test holds it to the scripts."""
