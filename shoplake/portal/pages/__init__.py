"""The pages that people see: what each shows, and how figures read in their language."""
