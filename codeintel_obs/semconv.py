"""The names of OpenTelemetry's semantic conventions that plugins put on their spans.

Our own constants, because upstream moves and deprecates its Python constants between releases; a test compares each
with the installed package wherever it has the name. Constants only.
"""

from __future__ import annotations

from typing import Final

# Databases: stable since semantic conventions 1.33. FAISS and DuckDB.
DB_SYSTEM_NAME: Final = "db.system.name"
DB_NAMESPACE: Final = "db.namespace"
DB_COLLECTION_NAME: Final = "db.collection.name"
DB_OPERATION_NAME: Final = "db.operation.name"
DB_OPERATION_BATCH_SIZE: Final = "db.operation.batch.size"
DB_QUERY_SUMMARY: Final = "db.query.summary"
DB_QUERY_TEXT: Final = "db.query.text"
DB_RESPONSE_RETURNED_ROWS: Final = "db.response.returned_rows"
DB_RESPONSE_STATUS_CODE: Final = "db.response.status_code"

# Version control: release candidate. git. URLs only with their credentials stripped.
VCS_REPOSITORY_URL_FULL: Final = "vcs.repository.url.full"
VCS_REPOSITORY_NAME: Final = "vcs.repository.name"
VCS_REF_HEAD_NAME: Final = "vcs.ref.head.name"
VCS_REF_HEAD_REVISION: Final = "vcs.ref.head.revision"
VCS_REF_BASE_NAME: Final = "vcs.ref.base.name"
VCS_REF_BASE_REVISION: Final = "vcs.ref.base.revision"

# Processes: Development. git.
PROCESS_PID: Final = "process.pid"
PROCESS_COMMAND: Final = "process.command"
PROCESS_EXIT_CODE: Final = "process.exit.code"

# Generative AI: Development, moved to a repository of its own. vLLM and retrieval; there is none for reranking.
GEN_AI_OPERATION_NAME: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER_NAME: Final = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
GEN_AI_USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_EMBEDDINGS_DIMENSION_COUNT: Final = "gen_ai.embeddings.dimension.count"
GEN_AI_RETRIEVAL_TOP_K: Final = "gen_ai.retrieval.top_k"

# MCP: Development, moved with generative AI.
MCP_METHOD_NAME: Final = "mcp.method.name"
MCP_SESSION_ID: Final = "mcp.session.id"
GEN_AI_TOOL_NAME: Final = "gen_ai.tool.name"

# HTTP and what all share: stable.
HTTP_REQUEST_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"
URL_FULL: Final = "url.full"
URL_PATH: Final = "url.path"
URL_QUERY: Final = "url.query"
URL_SCHEME: Final = "url.scheme"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
NETWORK_PROTOCOL_VERSION: Final = "network.protocol.version"
ERROR_TYPE: Final = "error.type"
