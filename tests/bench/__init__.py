"""Benchmarks: ratios measured side by side in one run, on real processes and sockets."""
