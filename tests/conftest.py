"""Fixtures that tests of several folders share."""

from s3 import new_bucket, s3_server

__all__ = ["new_bucket", "s3_server"]
