"""The collector under load, beside a bare endpoint of the same server."""
