"""Answers as ASGI messages, one by one."""

from starlette.responses import Response


def start(*headers, status=200, **more):
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def part(body=b"", *, more=False):
    return {"type": "http.response.body", "body": body, "more_body": more}


def sending(*messages, error=None):
    """Make an app that sends these messages, and then raises."""

    async def app(scope, receive, send):
        for message in messages:
            await send(dict(message))
        if error is not None:
            raise error

    return app


def saying(body, *headers, status=200):
    """Make an app that answers so, with its Content-Length."""
    made = Response(body, status)
    return sending(start(*made.raw_headers, *headers, status=status), part(made.body))


def is_stated(pair):
    """Tell whether `@Cache` says by this for how long its page is good."""
    return pair[0] == b"cache-control" and pair[1].startswith(b"max-age=0, s-maxage=")


def shown(answer):
    """Give what a client saw of an answer, apart from what a cache adds to it."""
    added = {b"cache-status", b"age"}
    return [
        {**message, "headers": [pair for pair in message["headers"] if pair[0] not in added and not is_stated(pair)]}
        if "headers" in message
        else message
        for message in answer.messages
    ]
