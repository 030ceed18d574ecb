"""The audit log: append-only, hash-chained, signed; what was shown and changed, by whom."""
