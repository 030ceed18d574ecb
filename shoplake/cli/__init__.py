"""Thin commands over the rooms; no logic of their own."""
