"""The limiter against its bound: scenarios in virtual time and over real HTTP."""
