"""Datasets in the layouts that other benchmarks' tools read, each with its floors and with what is lost on the way.

A layout is a module with a ``LAYOUT`` and a line here.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from faultset.errors import InputError, nearest, printable
from faultset.exports import grafana, huggingface, openmetrics, rcabench, rcaeval, tsb_ad
from faultset.exports.layout import Layout, Tell, write_json
from faultset.storage import explain_os_errors
from faultset.version import __version__

if TYPE_CHECKING:
    from faultset.dataset.opening import Dataset

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        rcaeval.LAYOUT,
        rcabench.LAYOUT,
        tsb_ad.LAYOUT,
        huggingface.LAYOUT,
        openmetrics.LAYOUT,
        grafana.LAYOUT,
    )
}
MARK = "export.json"  # what only an export has; a folder with it may be replaced
PAGE = "EXPORT.md"
_TASKS = ("anomalies", "root_causes")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        layout: its name.
        folder: where.
        files: how many, pages and floors counted.
        bytes: of all of them.
        lost: what could not be carried over, in words.
    """

    layout: str
    folder: str
    files: int
    bytes: int
    lost: tuple[str, ...]


def _untold(_done: int, _total: int, _what: str) -> None:
    pass


def export(dataset: Dataset, to: str, folder: Path, *, replace: bool = False, tell: Tell = _untold) -> Exported:
    """Write a dataset in another layout, with its floors and what could not be carried over beside it.

    The folder appears as a whole: it is written beside its place and moved there when it is complete.

    Args:
        dataset: what is written.
        to: name of the layout.
        folder: where; it must not exist, or be empty.
        replace: whether an earlier export that lies there may be replaced.
        tell: is told how far it is: done, total, what.

    Raises:
        InputError: there is no such layout, something lies in the folder, or the dataset has nothing for the layout.
        SetupError: the folder cannot be written.
    """
    layout = LAYOUTS.get(to)
    if layout is None:
        raise InputError("--to", f'there is no layout "{to}"{nearest(to, LAYOUTS)}', f"give {', '.join(LAYOUTS)}")
    with explain_os_errors(folder), _appearing(folder, replace=replace) as draft:
        lost = (*layout.lost, *(printable(text, 1000) for text in layout.write(dataset, draft, tell)))
        floors = _floors(dataset, draft, tell)
        write_json(draft / MARK, _mark(dataset, layout, lost))
        (draft / PAGE).write_text(_page(dataset, layout, lost, floors), encoding="utf-8")
        sizes = [path.stat().st_size for path in draft.rglob("*") if path.is_file()]
    return Exported(layout.name, str(folder), len(sizes), sum(sizes), lost)


@contextmanager
def _appearing(folder: Path, *, replace: bool) -> Iterator[Path]:
    """Give a folder to write in that takes the place of ``folder`` when the block ends, and is gone if it fails."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(folder, "this is no folder", "name a new one")
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).is_file():
            raise InputError(folder, "something lies there that is no export", "name an empty folder, or a new one")
        if not replace:
            raise InputError(folder, "an export lies there already", "name another folder, or add --replace")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    draft.mkdir()
    try:
        yield draft
        aside = folder.with_name(f"{draft.name}-before")
        with suppress(FileNotFoundError):
            folder.rename(aside)
        draft.rename(folder)
        shutil.rmtree(aside, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _floors(dataset: Dataset, folder: Path, tell: Tell) -> str:
    """Write the scores that need no method, and return how the page speaks of them."""
    if not dataset.metrics.parts:
        return "There are no metrics, so that there are no scores that need no method."
    for place, task in enumerate(_TASKS):
        tell(place, len(_TASKS), f"floors of {task}")
        dataset.floors(task).to_csv(folder / f"floors-{task}.csv")
    return (
        "`floors-anomalies.csv` and `floors-root_causes.csv` hold the scores that need no method (constant, chance, "
        "always, never, largest |z|), measured on the whole dataset. A method that does not beat them found nothing."
    )


def _mark(dataset: Dataset, layout: Layout, lost: tuple[str, ...]) -> dict[str, object]:
    return {
        "layout": layout.name,
        "dataset": dataset.slug,
        "version": dataset.version,
        "fingerprint": dataset.manifest.fingerprint,
        "written_by": f"faultset {__version__}",
        "lost": list(lost),
    }


def _page(dataset: Dataset, layout: Layout, lost: tuple[str, ...], floors: str) -> str:
    return "\n".join(
        [
            f"# {printable(dataset.manifest.title)}",
            "",
            f"{dataset.slug} {dataset.version} (fingerprint {dataset.manifest.fingerprint}), written by Faultset "
            f"{__version__} for {layout.reader}.",
            "",
            "```",
            layout.how_to_load,
            "```",
            "",
            floors,
            "",
            "Not carried over:",
            "",
            *(f"- {text}" for text in lost),
            "",
        ]
    )
