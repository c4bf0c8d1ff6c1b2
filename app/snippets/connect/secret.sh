token=$(curl -fsS __TOKEN_URL__ \
  -u '__CLIENT_ID__:__SECRET__' \
  -d grant_type=client_credentials \
  --data-urlencode 'resource=__SERVER_URL__' |
  sed 's/.*"access_token" *: *"\([^"]*\)".*/\1/')
curl -fsS __SERVER_URL__ \
  -H "Authorization: Bearer $token" \
  -H 'Content-Type: application/json' \
  -H 'Accept: application/json, text/event-stream' \
  -d '__CALL__'
