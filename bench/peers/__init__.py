"""What a team would use instead, each doing the same way from CSV to two marts, in an environment of its own."""
