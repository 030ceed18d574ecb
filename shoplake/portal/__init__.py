"""The HTTP service: the API of programs and of the portal's pages, and the collector at the same address."""
