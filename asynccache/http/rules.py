"""The rules of a shared HTTP cache, as pure functions over field lines: RFC 9111, and what builds on it.

`may_store` judges what the app answers and `keep_for` for how long it is kept; `select` finds what fits a request,
`answer` decides what to do with it, and `stands_in` what to do where the app fails; `freshen`, `freshen_by_head` and
`combined` update what is stored; `invalidates` tells what a write ends. Each names its section. Names of fields are in
lower case throughout; times are seconds since 1970, by the clock of the one who asks.
"""

from __future__ import annotations

from asynccache.http.answering import Decision, Forward, GatewayTimeout, Serve, Validate, answer, stands_in
from asynccache.http.describing import conditions
from asynccache.http.freshening import combined, freshen, freshen_by_head
from asynccache.http.invalidation import Invalidated, invalidates
from asynccache.http.refusing import Refusal
from asynccache.http.requests import Request
from asynccache.http.selecting import covers, matches, select
from asynccache.http.storing import completed, keep_for, may_store
from asynccache.http.vary import vary_values

__all__ = [
    "Decision",
    "Forward",
    "GatewayTimeout",
    "Invalidated",
    "Refusal",
    "Request",
    "Serve",
    "Validate",
    "answer",
    "combined",
    "completed",
    "conditions",
    "covers",
    "freshen",
    "freshen_by_head",
    "invalidates",
    "keep_for",
    "matches",
    "may_store",
    "select",
    "stands_in",
    "vary_values",
]
