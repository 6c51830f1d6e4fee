"""os-faults: a cluster file, and the commands that people write for it."""
