token=$(curl -fsS __TOKEN_URL__ \
  -d grant_type=client_credentials \
  -d client_id=__CLIENT_ID__ \
  -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
  -d "client_assertion=$ASSERTION" \
  --data-urlencode 'resource=__SERVER_URL__' |
  sed 's/.*"access_token" *: *"\([^"]*\)".*/\1/')
curl -fsS __SERVER_URL__ \
  -H "Authorization: Bearer $token" \
  -H 'Content-Type: application/json' \
  -H 'Accept: application/json, text/event-stream' \
  -d '__CALL__'
