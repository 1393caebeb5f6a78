"""Calls to one provider pool: as fast as its limits allow, and no faster."""
