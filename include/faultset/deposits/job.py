"""What the deposits in all archives start from."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faultset.deposits.access import Access
from faultset.deposits.http import Patience
from faultset.deposits.notes import Note
from faultset.deposits.plan import Content
from faultset.storage import Store

Tell = Callable[[int, int, str], None]


@dataclass(kw_only=True)
class Job(abc.ABC):
    """The deposit of one version in one archive.

    Attributes:
        access: where, and who may.
        version: what.
        folder: where its files lie.
        store: the root of the datasets, which holds the notes.
        patience: how long to wait for the far side.
        tell: called with bytes done, bytes in all and what is done now.
    """

    access: Access
    version: Content
    folder: Path
    store: Store
    patience: Patience
    tell: Tell

    @abc.abstractmethod
    def run(self) -> Note:
        """Bring the version there, or find it there, and return where it is.

        Raises:
            AnswerIsNo: what lies there under its name is something else, or a newer version is there.
            InputError: the archive rejects what is said of the version.
            SetupError: the archive does not answer, or does not accept the token.
        """
