"""The service as tools for language models (Model Context Protocol), over stdio and streamable HTTP."""
