# Lets a person sign in with the command line of mcp-use, and prints the tools and what the tool `whoami` answers.
mcp_use=clients/mcp-use-typescript/node_modules/.bin/mcp-use
# mcp-use prints the address that the person opens, and waits for them.
"$mcp_use" client connect countersign "$MCP_SERVER_URL" --auth-timeout 60000 2>&1 | while read -r line; do
  echo "$line"
  if [[ $line == http* ]]; then node clients/browser.mjs "$line"; fi
done
"$mcp_use" client countersign tools list
"$mcp_use" client countersign tools call whoami
