"""What runs in the sandboxed processes. Nothing here reads the home, its settings or its keys."""
