"""Great Expectations' pages of a validation, as far as they are kept; imported by it, by the name of the class."""

from __future__ import annotations

from types import CodeType
from typing import Any

from great_expectations.render.renderer.site_builder import SiteBuilder
from jinja2.bccache import Bucket, BytecodeCache


class _Compiled(BytecodeCache):
    """Templates compiled once a process: each section of each site has an environment of its own."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._code[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _Compiled()


class Pages(SiteBuilder):
    """A site without its front page, in whose place comes another, and without 4 MB of pictures that no page shows."""

    def build(self, resource_identifiers: Any = None, build_index: bool = True) -> tuple[Any, dict[str, Any]]:  # noqa: ARG002
        """Write the pages of all sections; there is no front page to ask for."""
        for section in self.site_section_builders.values():
            section.view_class.env.bytecode_cache = _COMPILED
            section.build(resource_identifiers=resource_identifiers)
        return self.get_resource_url(only_if_exists=False), {}
