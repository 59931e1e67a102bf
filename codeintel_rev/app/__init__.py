"""The service over HTTP, with the MCP tools under /mcp."""
