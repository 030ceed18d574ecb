"""Data health: sources, files that wait, releases, restatements, streams."""
