curl __TOKEN_URL__ \
  -u "__CLIENT_ID__:__SECRET__" \
  -d grant_type=client_credentials \
  --data-urlencode "resource=__SERVER_URL__"
