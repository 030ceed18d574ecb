"""The person vault: pseudonyms for identifiers, and texts under each person's own key."""
