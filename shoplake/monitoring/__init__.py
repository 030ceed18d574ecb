"""Freshness, health and quality of what has landed."""
