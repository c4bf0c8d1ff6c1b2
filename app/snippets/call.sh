token=$(curl -fsS -u "$MCP_CLIENT_ID:$MCP_CLIENT_SECRET" -d grant_type=client_credentials "$MCP_TOKEN_URL" |
  sed 's/.*"access_token" *: *"\([^"]*\)".*/\1/')
curl -fsS "$MCP_SERVER_URL" -H "Authorization: Bearer $token" \
  -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \
  -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}'
