# SPDX-License-Identifier: Apache-2.0
"""Sending alerts: HTTP for Slack and webhooks, SMTP for e-mail. Imported when one is due."""

from __future__ import annotations

import hashlib
import hmac
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import EmailMessage
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import orjson

from mainstem.observers.message import lines_of, slack_of, subject_of
from mainstem.observers.outbox import Alert

TIMEOUT_S = 10.0
_SMTP_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def send(alert: Alert, kind: str, options: Mapping[str, Any]) -> str:
    """Send one alert; gives what went wrong, empty if it arrived.

    Args:
        alert: What to say.
        kind: `slack`, `webhook` or `email`.
        options: Of the alert, with `${NAME}` resolved.
    """
    try:
        if kind == "email":
            _send_mail(alert, options)
        elif kind == "slack":
            _post(str(options["url"]), orjson.dumps(slack_of(alert.body)), {})
        else:
            _post_event(alert, options)
    except urllib.error.HTTPError as error:
        return f"the receiver answered {error.code} {error.reason}"
    except (OSError, HTTPException, smtplib.SMTPException, ValueError, KeyError) as error:
        # Of an address the host alone is told: the rest of it may be what lets anyone write.
        return f"{type(error).__name__}: {_reason(error)}"
    return ""


def _post_event(alert: Alert, options: Mapping[str, Any]) -> None:
    document = {"id": alert.id, "alert": alert.alert, "subject": subject_of(alert.body)}
    data = orjson.dumps({**document, **alert.body})
    headers = {str(name): str(value) for name, value in (options.get("headers") or {}).items()}
    headers["Idempotency-Key"] = alert.id
    secret = str(options.get("secret") or "")
    if secret:
        digest = hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()
        headers["X-Mainstem-Signature"] = f"sha256={digest}"
    _post(str(options["url"]), data, headers)


def _post(url: str, data: bytes, headers: Mapping[str, str]) -> None:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ValueError("the address is neither http nor https")
    request = urllib.request.Request(  # noqa: S310  # the scheme was looked at
        url, data=data, headers={"Content-Type": "application/json", **headers}, method="POST"
    )
    opener = urllib.request.build_opener(_NoRedirect())
    with opener.open(request, timeout=TIMEOUT_S) as response:
        response.read(1 << 16)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry a signed message to somebody who was not named."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _send_mail(alert: Alert, options: Mapping[str, Any]) -> None:
    security = str(options.get("security") or "starttls")
    host, port = str(options["host"]), int(options.get("port") or _SMTP_PORTS[security])
    mail = _mail(alert, options)
    context = ssl.create_default_context()
    connection: smtplib.SMTP = (
        smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=context)
        if security == "tls"
        else smtplib.SMTP(host, port, timeout=TIMEOUT_S)
    )
    with connection as server:
        if security == "starttls":
            server.starttls(context=context)
        if options.get("user"):
            server.login(str(options["user"]), str(options.get("password") or ""))
        server.send_message(mail)


def _mail(alert: Alert, options: Mapping[str, Any]) -> EmailMessage:
    receivers = options["to"]
    mail = EmailMessage()
    mail["Subject"] = " ".join(subject_of(alert.body).split())
    mail["From"] = str(options.get("from") or "mainstem@localhost")
    mail["To"] = receivers if isinstance(receivers, str) else ", ".join(map(str, receivers))
    mail["Message-ID"] = f"<{hashlib.sha256(alert.id.encode()).hexdigest()[:32]}@mainstem>"
    mail["X-Mainstem-Delivery"] = alert.id
    mail.set_content("\n".join(lines_of(alert.body)) + "\n")
    return mail


def _reason(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return str(reason)
