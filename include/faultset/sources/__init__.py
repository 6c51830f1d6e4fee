"""A file a format: bytes to typed records, with no opinion on what they mean."""
