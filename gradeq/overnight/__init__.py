"""Overnight batches: through the providers' batch APIs, at half the price, within a day."""
