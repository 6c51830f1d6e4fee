"""Versions in public archives: a record with a DOI in an InvenioRDM (Zenodo), a tag in a repository of Hugging Face.

Why nothing is ever there twice or by half: docs/adr/0013-deposits-are-found-by-looking.md.
"""

from __future__ import annotations

from faultset.deposits.access import Access, accesses, of_environment
from faultset.deposits.due import Due, due
from faultset.deposits.notes import Note
from faultset.deposits.running import deposit

__all__ = ["Access", "Due", "Note", "accesses", "deposit", "due", "of_environment"]
