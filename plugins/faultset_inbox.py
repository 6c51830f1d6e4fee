"""A trigger that watches the inbox: one event for all that is whole and was not announced, its memory in Airflow."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from faultset.inbox.landing import Drop
    from faultset.settings import Settings
    from faultset.storage.credentials import Credentials

MEMORY = "announced"
_BUCKET_POLL_S = 5.0  # a look at a bucket is a request over the network, which is paid for


class InboxTrigger(BaseEventTrigger):
    """Announces runs in the inbox (``FAULTSET_INBOX``) once they are whole.

    A run that still lies there a while after it was announced is announced again: of several events that wait for a
    DAG run, Airflow hands over the first alone. So events may repeat, and whoever is woken looks at the inbox itself.

    Args:
        poll_s: seconds between two looks; at least five where the inbox is a bucket.
        remind_s: seconds after which a run that nobody took is announced again.
    """

    def __init__(self, poll_s: float = 2.0, remind_s: float = 60.0) -> None:
        super().__init__()
        self.poll_s = poll_s
        self.remind_s = remind_s
        self._in_bucket = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, from which the triggerer makes it again."""
        return "faultset_inbox.InboxTrigger", {"poll_s": self.poll_s, "remind_s": self.remind_s}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event whenever there is something to announce."""
        announced: dict[str, float] = await self._recall()
        while True:
            waiting = await self._waiting()
            now = time.time()
            fresh = [mark for mark in waiting if now - announced.get(mark, 0.0) >= self.remind_s]
            # What is gone is forgotten, so that the memory stays as small as the inbox.
            kept = {mark: announced[mark] for mark in waiting if mark in announced} | dict.fromkeys(fresh, now)
            if fresh:
                yield TriggerEvent({"runs": len(waiting)})
            if kept != announced:
                announced = kept
                await self._remember(announced)
            await asyncio.sleep(max(self.poll_s, _BUCKET_POLL_S) if self._in_bucket else self.poll_s)

    async def _waiting(self) -> list[str]:
        """Return marks of what is whole; what cannot be read now is looked at again soon."""
        from faultset.errors import FaultsetError
        from faultset.settings import Settings
        from faultset.storage.bucket import Bucket, is_bucket
        from faultset_connections import of_connection_in_a_trigger

        try:
            settings = Settings.from_environment()
            self._in_bucket, found = is_bucket(settings.inbox), None
            if self._in_bucket:
                found = await of_connection_in_a_trigger(Bucket.at(settings.inbox).connection)
            drops = await asyncio.to_thread(_look, settings, found)
        except FaultsetError as error:
            self.log.warning("%s", error)
            return []
        return [drop.mark for drop in drops if drop.whole]

    async def _recall(self) -> dict[str, float]:
        if self.asset_state_store is None:
            return {}
        kept = await self.asset_state_store.aget(MEMORY, {})
        return {str(mark): float(at) for mark, at in kept.items()} if isinstance(kept, dict) else {}

    async def _remember(self, announced: dict[str, float]) -> None:
        if self.asset_state_store is not None:
            await self.asset_state_store.aset(MEMORY, dict(announced))


def _look(settings: Settings, found: Credentials | None) -> list[Drop]:
    from faultset.inbox import landing, mirror
    from faultset.storage.bucket import is_bucket
    from faultset.storage.credentials import credentials

    if not is_bucket(settings.inbox):
        return landing.look(settings.inbox_folder, settings.inbox_settle_s, time.time())
    with credentials(lambda _name: found):
        return mirror.look(settings.inbox, settings.inbox_settle_s, time.time())
