"""Fixtures that tests of several folders share, and what holds for all of them."""

from hypothesis import settings

from s3 import new_bucket, s3_server

__all__ = ["new_bucket", "s3_server"]

# How long an example takes says how busy the machine is.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
