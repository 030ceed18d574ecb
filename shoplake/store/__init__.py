"""The operational store: ledger of files, quarantine index, person vault, runs."""
