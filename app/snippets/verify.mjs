import { createRemoteJWKSet, jwtVerify } from 'jose';

const issuer = '__ISSUER__';
const resource = '__RESOURCE__';
const keys = createRemoteJWKSet(new URL(`${issuer}/mcp/oauth/jwks`));

// Pass it to requireBearerAuth({ verifier }).
export const verifier = {
  async verifyAccessToken(token) {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience: resource,
      typ: 'at+jwt',
      algorithms: ['__ALG__'],
    });
    return { token, clientId: payload.client_id, scopes: payload.scope.split(' '), expiresAt: payload.exp };
  },
};
