"""What the routes share: the recommender, and when it has to look at the data again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

from flask import current_app

from agent.settings import Settings

if TYPE_CHECKING:
    from agent.recommend import Recommender

_KEY = "palate"


class Service:
    """The recommender behind one app.

    Rows that came in over HTTP make it stale. The next request that asks for
    recommendations rebuilds first and waits for it, so whoever has written reads their
    own writes, and loading a million rows in a thousand batches rebuilds once. Saved models
    are not trained again for that. A newer fit is taken up in the background, and no request
    waits for it.
    """

    def __init__(self, settings: Settings, recommender: Recommender) -> None:
        self.settings = settings
        self.recommender = recommender
        self._lock = threading.Lock()
        self._rebuilding = threading.Lock()
        self._written = 0
        self._built = 0

    def mark_stale(self) -> None:
        """Rows were written; safe from any thread."""
        with self._lock:
            self._written += 1

    def fresh(self) -> Recommender:
        """The recommender with every row in it that was accepted before this call.

        Raises:
            PalateError: the rebuild failed; it is tried again on the next request.
        """
        self.recommender.follow()
        wanted = self._written
        if self._built < wanted:
            with self._rebuilding:
                if self._built < wanted:
                    reached = self._written  # what comes in from here on is for the next one
                    self.recommender.refresh()
                    self._built = reached
        return self.recommender


def attach(app_extensions: dict[str, object], service: Service) -> None:
    """Remember the service on an app."""
    app_extensions[_KEY] = service


def current_service() -> Service:
    """The service of the app that handles this request."""
    return cast(Service, current_app.extensions[_KEY])
