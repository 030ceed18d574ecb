"""Envelope encryption: one key-encryption key wraps a data key for each part of the home."""
