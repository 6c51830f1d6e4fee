"""Load beside faults: a file a tool that puts load on the system and injects nothing."""
