"""The audit log: search, one record in full, export, the state of its chains."""
