"""The SQL console: what a person may ask about, and a question with its answer as a page."""
