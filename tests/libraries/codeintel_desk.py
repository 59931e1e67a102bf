"""A small framework: a desk that serves requests with the worker that it was handed, and answers what workers raise."""

from __future__ import annotations


class Desk:
    """Serves with one worker."""

    def __init__(self, worker):
        self.worker = worker
        self.night_worker = worker

    async def serve(self, request):
        """Return the worker's answer; a LookupError is answered here."""
        try:
            return await self.worker(request)
        except LookupError as exc:
            return await answered(request, exc)

    async def open(self, request):
        """Return what is served, as a door keeper would who has nothing to say."""
        return await self.serve(request)


async def answered(request, exc):
    """Return the answer to an exception."""
    return {"status": request.get("answer", 500), "error": str(exc)}


async def closing():
    """Return when the desk is closed for good."""
    return "closed"


async def failing():
    """Fail to close."""
    raise OSError("the door is stuck")
