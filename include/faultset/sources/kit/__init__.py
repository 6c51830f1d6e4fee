"""What every reader shares: files and where they are, archives, limits, redaction, YAML that knows its lines."""
