curl -fsS __SERVER_URL__ \
  -H 'Authorization: Bearer __TOKEN__' \
  -H 'Content-Type: application/json' \
  -H 'Accept: application/json, text/event-stream' \
  -d '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
