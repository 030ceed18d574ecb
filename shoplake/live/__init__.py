"""Counts of the last 60 minutes, held in memory; who serves them is not known here."""
