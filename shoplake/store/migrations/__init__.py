"""Alembic migrations of the operational store."""

HEAD = "0005"
"""The newest revision; a test holds it to the scripts."""
