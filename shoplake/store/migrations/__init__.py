"""Alembic migrations of the operational store."""

HEAD = "0009"
"""The newest revision; a test holds it to the scripts."""
