"""Stand-ins for the archives that versions are deposited in: real HTTP, real state, and every way to misbehave."""
