"""The name of an experiment and of its dataset: one grammar for folders, keys of a bucket, and addresses."""

from __future__ import annotations

import re

from faultset.errors import InputError

# No dots: neither ``..`` nor ``index.json`` can be such a name.
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")


def is_slug(name: str) -> bool:
    """Whether ``name`` can be that of an experiment."""
    return _SLUG.fullmatch(name) is not None


def check_slug(slug: str) -> str:
    """Return ``slug`` where it is one.

    Raises:
        InputError: it is not: small letters, digits and hyphens, at most 100.
    """
    if not is_slug(slug):
        raise InputError(
            slug or '""',
            "this is no name for an experiment or its dataset",
            "use small letters, digits and hyphens, at most 100, the first no hyphen",
        )
    return slug
