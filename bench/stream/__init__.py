"""From the answer to an event to its mart: how long it takes under load, and what a round costs."""
