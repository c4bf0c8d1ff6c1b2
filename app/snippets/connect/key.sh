curl __TOKEN_URL__ \
  -d grant_type=client_credentials \
  -d client_id=__CLIENT_ID__ \
  -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
  -d "client_assertion=$ASSERTION"
