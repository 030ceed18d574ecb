"""Benchmarks: shoplake beside a bare floor and beside its peers, on the same data, in one run."""
