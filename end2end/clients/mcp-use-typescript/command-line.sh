# Saves a server with the command line of mcp-use, and prints its tools and what its tool `whoami` answers.
mcp_use=clients/mcp-use-typescript/node_modules/.bin/mcp-use
"$mcp_use" client connect countersign "$MCP_SERVER_URL" --auth "$MCP_ACCESS_TOKEN"
"$mcp_use" client countersign tools list
"$mcp_use" client countersign tools call whoami
