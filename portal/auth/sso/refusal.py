"""What a sign-in by a provider can end as instead of a session."""

from __future__ import annotations

from portal.services.errors import Unauthenticated, Unavailable


class NotBelieved(Unauthenticated):
    """A token or an assertion does not prove who it is; `why` is for the audit log, the person is told the next step."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "sso_refused",
            "The answer of the sign-in service could not be verified. Start again; if it stays, tell an administrator.",
            "로그인 서비스의 응답을 확인할 수 없습니다. 다시 시작하고, 계속되면 관리자에게 알리세요.",
        )
        self.why = why


class ProviderAway(Unavailable):
    """The provider does not answer, or not as one."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "sso_unavailable",
            "The sign-in service does not answer. Try again later; local accounts still sign in.",
            "로그인 서비스에 연결할 수 없습니다. 잠시 뒤 다시 시도하세요. 관리자가 만든 계정은 로그인할 수 있습니다.",
        )
        self.why = why
