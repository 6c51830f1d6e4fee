"""Shows a candidate's pictures in Airflow's pages, to whoever may see what ``publish_dataset`` asks."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, FastAPI, HTTPException, Response

PREFIX = "/faultset"
_MAY_SEE = requires_access_dag("GET", DagAccessEntity.HITL_DETAIL, param_dag_id="publish_dataset")

app = FastAPI(openapi_url=None)


def address(slug: str) -> str:
    """Return where the pictures of an experiment's candidates are found, below the address that people see."""
    below = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
    return f"{below}{PREFIX}/pictures/{quote(slug, safe='')}"


@app.get("/pictures/{slug}/{fingerprint}/{name}", dependencies=[Depends(_MAY_SEE)])
def picture(slug: str, fingerprint: str, name: str) -> Response:
    """Answer with one picture; 404 where there is none of this name, 503 where the storage is in trouble."""
    from faultset import pipeline
    from faultset.errors import InputError, SetupError
    from faultset.settings import Settings
    from faultset.storage.credentials import credentials
    from faultset_connections import of_connection

    try:
        with credentials(of_connection):
            found = pipeline.picture(slug, fingerprint, name, Settings.from_environment())
    except InputError:
        found = None
    except SetupError as error:
        raise HTTPException(503, str(error)) from error
    if found is None:
        raise HTTPException(404, "there is no such picture")
    # A fingerprint stands for one candidate, but a candidate that is built again by force may be drawn by another tool.
    headers = {"Cache-Control": "private, max-age=600", "X-Content-Type-Options": "nosniff"}
    return Response(found, media_type="image/png", headers=headers)


class FaultsetPictures(AirflowPlugin):  # type: ignore[misc]
    """Tells Airflow of the pages above."""

    name = "faultset_pictures"
    fastapi_apps = [{"app": app, "url_prefix": PREFIX, "name": "Faultset"}]  # noqa: RUF012 (as Airflow reads it)
