"""Measures the portal, as people at browsers have it."""
