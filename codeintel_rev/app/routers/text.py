"""/v1/text: lines that match a regular expression."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from codeintel_rev.app.dependencies import Globs, Served, Whole
from codeintel_rev.app.problems import documented
from codeintel_rev.io import globs as path_globs
from codeintel_rev.io.regex import LONGEST
from codeintel_rev.io.text_search import MOST_CONTEXT, MOST_MATCHES, TextQuery
from codeintel_rev.mcp_server.envelopes import text_answer
from codeintel_rev.mcp_server.schemas import TextAnswer

router = APIRouter(tags=["text"], responses=documented(400, 404, 413, 422))


class TextBody(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    pattern: str = Field(min_length=1, max_length=LONGEST, description="A regular expression (RE2)")
    fixed: bool = False
    word: bool = False
    case: Literal["smart", "sensitive", "ignore"] = "smart"
    globs: list[Annotated[str, Field(min_length=1, max_length=path_globs.LONGEST)]] = Field(
        default_factory=list, max_length=path_globs.MOST_GLOBS
    )
    context: Whole = Field(0, ge=0, le=MOST_CONTEXT)
    limit: Whole = Field(50, ge=1, le=MOST_MATCHES)


@router.post("/v1/text", summary="Search text with all options")
async def text(body: TextBody, served: Served) -> TextAnswer:
    query = TextQuery(body.pattern, body.fixed, body.word, body.case, tuple(body.globs), body.context, body.limit)
    return text_answer(await served.run(served.service.search_text, query))


@router.get("/v1/text", summary="Search text")
async def text_simply(
    served: Served,
    pattern: Annotated[str, Query(min_length=1, max_length=LONGEST)],
    globs: Globs = [],  # noqa: B006 - FastAPI copies it
    limit: Annotated[int, Query(ge=1, le=MOST_MATCHES)] = 50,
) -> TextAnswer:
    query = TextQuery(pattern, globs=tuple(globs), limit=limit)
    return text_answer(await served.run(served.service.search_text, query))
