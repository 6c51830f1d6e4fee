"""``faultset deposit``: a version into public archives."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from faultset.cli.call import Answer, AnsweringCommand, Call, progress
from faultset.settings import ARCHIVES, Archive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console


@click.command(cls=AnsweringCommand)
@click.argument("slug")
@click.argument("version", required=False)
@click.option("--to", "archives", type=click.Choice(ARCHIVES), multiple=True, required=True, help="Repeat it for more.")
@click.pass_obj
def deposit(call: Call, slug: str, version: str | None, *, archives: tuple[Archive, ...]) -> Answer:
    """Bring VERSION, the latest by default, to public archives.

    A record with a DOI in Zenodo or another InvenioRDM, a tagged commit in a repository of Hugging Face. What is there
    already is found and not sent again.
    """
    from faultset import deposits  # noqa: PLC0415 (only this command needs it)

    with progress() as tell:
        made = [deposits.deposit(slug, version, to, call.settings, tell) for to in dict.fromkeys(archives)]
    return Answer({"slug": slug, "deposits": [dataclasses.asdict(one) for one in made]}, _show)


def _show(console: Console, document: Mapping[str, Any]) -> None:
    for one in document["deposits"]:
        doi = f", DOI {one['doi']}" if one["doi"] else ""
        concept = f" (of all versions: {one['concept_doi']})" if one["concept_doi"] else ""
        where = f"{one['to']}: {one['url'] or one['at']}"
        console.print(f"{document['slug']} {one['version']} is in {where}{doi}{concept}", soft_wrap=True)
