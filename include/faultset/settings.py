"""The one settings object; everything that the environment decides is read here and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


def project_root() -> Path:
    """The checkout: the folder that holds ``experiments/`` and ``include/``; the current folder outside of one."""
    here = Path(__file__).resolve()
    for folder in here.parents:
        if (folder / "pyproject.toml").is_file() and (folder / "include").is_dir():
            return folder
    return Path.cwd()


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are.

    Attributes:
        catalog: root of the experiments (``FAULTSET_CATALOG``).
        datasets: root of the dataset versions (``FAULTSET_DATASETS``): a folder or ``s3://bucket/prefix``.
        work: the folder for builds, candidates and labeled files: hidden folders under ``datasets`` where that is a
            folder, so that publishing renames; ``FAULTSET_WORK`` (default: ``.work`` in the checkout) where it is a
            bucket. All workers have to see the same one.
    """

    catalog: str
    datasets: str
    work: str = field(default_factory=lambda: str(project_root() / ".work"))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings; the defaults lie in the checkout."""
        environment = os.environ if environment is None else environment
        root = project_root()
        return cls(
            catalog=environment.get("FAULTSET_CATALOG") or str(root / "experiments"),
            datasets=environment.get("FAULTSET_DATASETS") or str(root / "datasets"),
            work=environment.get("FAULTSET_WORK") or str(root / ".work"),
        )

    def __post_init__(self) -> None:
        """Make folders absolute, so that a change of the current folder moves nothing; URIs stay as they are."""
        for name in ("catalog", "datasets", "work"):
            value = getattr(self, name)
            if "://" not in value:
                object.__setattr__(self, name, str(Path(value).absolute()))
        if "://" not in self.datasets:
            object.__setattr__(self, "work", self.datasets)
