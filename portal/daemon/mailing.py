"""Sends one notice as e-mail through the site's SMTP server: plain text, in the person's language, with a link."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, formataddr
from typing import Final
from urllib.parse import urlsplit

import anyio

from portal.db.models import now
from portal.services.deliveries import Outcome, Parcel
from portal.settings import Notify, Settings

STEP_TIMEOUT_S: Final = 10.0
"""For one answer of the server."""
WHOLE_TIMEOUT_S: Final = 30.0
_PERMANENT: Final = 500
"""Replies from here on will be the same next time. Source: RFC 5321, section 4.2.1."""


async def send(settings: Settings, parcel: Parcel) -> Outcome:
    """Hand it to the server; what the server said where it did not take it."""
    if not settings.notify.smtp_host or not parcel.to:
        return Outcome(final=True, off=True)
    try:
        message = message_of(settings, parcel)
    except ValueError as error:
        return Outcome(f"no mail can be made of it: {error}", final=True)
    password = settings.smtp_password.get_secret_value()
    try:
        with anyio.fail_after(WHOLE_TIMEOUT_S):
            await anyio.to_thread.run_sync(_hand_over, settings.notify, password, message, abandon_on_cancel=True)
    except TimeoutError:
        return Outcome(f"{settings.notify.smtp_host} did not take it within {WHOLE_TIMEOUT_S:.0f} s")
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        return Outcome(_said(code, text), final=code >= _PERMANENT)
    except smtplib.SMTPDataError as error:
        return Outcome(_said(error.smtp_code, error.smtp_error), final=error.smtp_code >= _PERMANENT)
    except (OSError, smtplib.SMTPException) as error:
        return Outcome(f"{settings.notify.smtp_host}: {error or type(error).__name__}")
    return Outcome()


def message_of(settings: Settings, parcel: Parcel) -> EmailMessage:
    """The mail. Its Message-ID is the delivery's own: a mail sent twice is one to whoever looks. Raises ValueError."""
    site = settings.web.public_url.rstrip("/")
    message = EmailMessage(policy=SMTP_POLICY)
    headers = {
        "From": formataddr(("OnE", settings.notify.sender)),
        "To": parcel.to,
        "Subject": f"[OnE] {parcel.words.line}",
        "Date": format_datetime(now()),
        "Message-ID": f"<notice-{parcel.id}@{urlsplit(site).hostname or 'localhost'}>",
        "Auto-Submitted": "auto-generated",
    }
    for name, value in headers.items():
        if not value.isprintable():
            raise ValueError(f"{name} has control characters")
        message[name] = value
    choices = "알림을 바꾸려면" if parcel.korean else "To change what you are told"
    lines = (parcel.words.line, "", parcel.words.sentence, "", f"{site}{parcel.path}", "")
    message.set_content("\n".join((*lines, "-- ", f"{choices}: {site}/account?tab=notifications", "")))
    return message


def _hand_over(notify: Notify, password: str, message: EmailMessage) -> None:
    """Blocking; raises OSError and smtplib.SMTPException."""
    context = ssl.create_default_context(cafile=notify.smtp_ca_file)
    with _connected(notify, context) as server:
        if notify.smtp_tls == "starttls":
            server.starttls(context=context)
        if notify.smtp_user:
            server.login(notify.smtp_user, password)
        server.send_message(message, from_addr=notify.sender)


def _connected(notify: Notify, context: ssl.SSLContext) -> smtplib.SMTP:
    place = (notify.smtp_host, notify.smtp_port)
    if notify.smtp_tls == "tls":
        return smtplib.SMTP_SSL(*place, timeout=STEP_TIMEOUT_S, context=context)
    return smtplib.SMTP(*place, timeout=STEP_TIMEOUT_S)


def _said(code: int, text: bytes | str) -> str:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(said.split())}"
