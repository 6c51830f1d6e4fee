"""Addresses of the pages, for tasks' logs, DAGs and assets; light, so that whoever names a page loads none of it."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from airflow.configuration import conf

PREFIX = "/faultset"
_IN_AIRFLOW = "/plugin/faultset"  # where Airflow's own frame shows a page


def base() -> str:
    """Return the address that people open Airflow under, without a slash at its end."""
    address: str = conf.get("api", "base_url", fallback="") or ""
    return address.rstrip("/")


def below() -> str:
    """Return the path of that address."""
    return urlsplit(base()).path.rstrip("/")


def page(*parts: str) -> str:
    """Return the whole address of a page inside of Airflow, such as ``page("datasets", slug)``."""
    return f"{base()}{_IN_AIRFLOW}{PREFIX}/{'/'.join(quote(part, safe='') for part in parts)}"


def pictures(slug: str) -> str:
    """Return the path below which the pictures of an experiment's candidates are."""
    return f"{below()}{PREFIX}/pictures/{quote(slug, safe='')}"
