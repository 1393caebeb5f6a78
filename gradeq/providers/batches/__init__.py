"""Batch APIs of providers: half the price, and up to a day to wait."""
