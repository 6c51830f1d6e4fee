"""Pictures of a dataset: the run on one page, and each injection close up; PNG, the same bytes for the same data."""

from __future__ import annotations

from faultset.figures.injection import InjectionData, injection_figure
from faultset.figures.overview import OverviewData, overview
from faultset.figures.style import Series

__all__ = ["InjectionData", "OverviewData", "Series", "injection_figure", "overview"]
