"""Per-user limits of one web process: API calls a minute, log streams and live pages at once; and the stream that nobody reads.

They protect this process, so each process counts for itself: with n processes behind a proxy a user gets up to n times as
much. What must be exact, waiting requests, is counted in the database (`portal.services.quota`).
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil

import anyio
import structlog
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import Counter

from portal.services.errors import TooMany
from portal.settings import Limits

LIMITED = Counter("one_web_limited", "Requests refused by a per-user limit", ["limit"])
DROPPED = Counter("one_web_slow_clients_dropped", "Event streams dropped because their client took nothing")
STREAM_RETRY_S = 15
MINUTE_S = 60.0
_log = structlog.get_logger("portal.web")


class UserLimits:
    """What every user has used of the limits; `clock` counts seconds."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._calls: dict[int, tuple[float, float]] = {}
        self._streams: Tally[int] = Tally()
        self._pages: Tally[int] = Tally()

    def count_call(self, user_id: int) -> None:
        """One more call: a minute's worth may come at once, then as many as the minute gives back. Raises TooMany."""
        most = self._limits.api_calls_per_minute
        now = self._clock()
        used, at = self._calls.get(user_id, (0.0, now))
        used = max(0.0, used - (now - at) * most / MINUTE_S)
        if used + 1 > most:
            wait_s = max(1, ceil((used + 1 - most) * MINUTE_S / most))
            raise TooMany(
                "api_calls_per_minute",
                f"You made {most} API calls within a minute; no more are allowed (limits.api_calls_per_minute). "
                f"Go on in {wait_s} s, and ask less often: `--wait` and `--follow` watch without asking again and again.",
                f"1분에 허용된 API 호출 {most}회를 모두 썼습니다 (limits.api_calls_per_minute). {wait_s}초 뒤에 계속하고 "
                "덜 자주 물어보세요. `--wait`와 `--follow`는 반복 호출 없이 지켜봅니다.",
                retry_after_s=wait_s,
            )
        self._calls[user_id] = (used + 1, now)

    def check_stream(self, user_id: int) -> None:
        """Raises TooMany when the user follows as many logs as one may."""
        most = self._limits.log_streams
        if self._streams[user_id] >= most:
            raise TooMany(
                "log_streams",
                f"You follow {most} logs already; no more are allowed (limits.log_streams). Close one and try again.",
                f"이미 로그 {most}개를 보고 있습니다 (한도 limits.log_streams). 하나를 닫고 다시 시도하세요.",
                retry_after_s=STREAM_RETRY_S,
            )

    def check_page(self, user_id: int) -> None:
        """Raises TooMany when the user has as many live pages open as one may."""
        most = self._limits.live_pages
        if self._pages[user_id] >= most:
            raise TooMany(
                "live_pages",
                f"You have {most} live pages open; no more are allowed (limits.live_pages). Others refresh every 15 s.",
                f"실시간 페이지 {most}개가 열려 있습니다 (한도 limits.live_pages). 다른 페이지는 15초마다 새로 고칩니다.",
                retry_after_s=STREAM_RETRY_S,
            )

    @contextmanager
    def stream(self, user_id: int) -> Iterator[None]:
        """A log stream, counted from its first event to its end. Raises TooMany."""
        self.check_stream(user_id)
        with _counted(self._streams, user_id):
            yield

    @contextmanager
    def page(self, user_id: int) -> Iterator[None]:
        """The stream of a live page, counted from its first event to its end. Raises TooMany."""
        self.check_page(user_id)
        with _counted(self._pages, user_id):
            yield


@contextmanager
def _counted(tally: Tally[int], user_id: int) -> Iterator[None]:
    tally[user_id] += 1
    try:
        yield
    finally:
        tally[user_id] -= 1
        if not tally[user_id]:
            del tally[user_id]


class SlowClient(Exception):
    """The client of an event stream took nothing for too long."""


def drops_slow_clients(app: ASGIApp) -> ASGIApp:
    """Middleware for event streams: a piece that cannot be sent within `limits.slow_client_s` ends the stream.

    Nothing is kept for such a client: the stream is written piece by piece, and waits (it does not read on) while the
    socket's buffer is full. The client comes back with Last-Event-ID and gets the rest.
    """

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        limit_s: float = scope["litestar_app"].state.settings.limits.slow_client_s

        dropped = False

        async def send_in_time(message: Message) -> None:
            nonlocal dropped
            try:
                with anyio.fail_after(limit_s):
                    await send(message)
            except TimeoutError as error:
                dropped = True
                DROPPED.inc()
                user = getattr(scope.get("user"), "name", None)
                _log.warning("slow client dropped", path=scope.get("path"), user=user, waited_s=limit_s)
                raise SlowClient(f"nothing taken for {limit_s:g} s") from error

        try:
            await app(scope, receive, send_in_time)
        except Exception:  # whatever the layers between made of SlowClient
            if not dropped:
                raise

    return wrapped
