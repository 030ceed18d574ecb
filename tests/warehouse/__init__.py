"""Tests of the warehouse models."""
