"""Ticks: quotes, trades and order books of one currency at a time, as sockets tell them."""
