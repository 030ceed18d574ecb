"""The quarantine: rows that broke a rule, why, and landing them after all."""
