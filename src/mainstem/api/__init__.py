# SPDX-License-Identifier: Apache-2.0
"""The faces of a running project: GraphQL, REST, metrics, and who may use them.

Lazy: managing tokens needs no web framework, and answering about health no GraphQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.types import lazily

if TYPE_CHECKING:
    from mainstem.api.application import application
    from mainstem.api.graphql.schema import sdl
    from mainstem.api.host import Host
    from mainstem.api.listening import Listener, bind
    from mainstem.api.role import Principal, Role
    from mainstem.api.settings import Access, ApiSettings
    from mainstem.api.tokens import NewToken, create_token, end_token, list_tokens

_HOME = {
    "Access": "settings",
    "ApiSettings": "settings",
    "Host": "host",
    "Listener": "listening",
    "NewToken": "tokens",
    "Principal": "role",
    "Role": "role",
    "application": "application",
    "bind": "listening",
    "create_token": "tokens",
    "end_token": "tokens",
    "list_tokens": "tokens",
    "sdl": "graphql.schema",
}

__all__ = [
    "Access",
    "ApiSettings",
    "Host",
    "Listener",
    "NewToken",
    "Principal",
    "Role",
    "application",
    "bind",
    "create_token",
    "end_token",
    "list_tokens",
    "sdl",
]

__getattr__ = lazily(__name__, _HOME)
