"""Starlette: routes, a request body that is transformed while it arrives, state from lifespan."""

import hashlib
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route


@asynccontextmanager
async def lifespan(app):
    yield {"words": ("may", "fly")}


async def words(request):
    return JSONResponse({"words": request.state.words})


async def upper(request):
    async def changed():
        async for chunk in request.stream():
            yield chunk.upper()

    return StreamingResponse(changed(), media_type="text/plain")


async def digest(request):
    digest = hashlib.sha256()
    size = 0
    async for chunk in request.stream():
        digest.update(chunk)
        size += len(chunk)
    return JSONResponse({"sha256": digest.hexdigest(), "size": size})


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/words", words),
        Route("/upper", upper, methods=["POST"]),
        Route("/digest", digest, methods=["POST"]),
    ],
)
