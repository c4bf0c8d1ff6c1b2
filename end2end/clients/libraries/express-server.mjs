// An HTTP server that lets express-oauth2-jwt-bearer check tokens.
import express from 'express';
import { auth, requiredScopes } from 'express-oauth2-jwt-bearer';

const { ISSUER, RESOURCE, PORT } = process.env;
const app = express();
app.use(auth({ issuerBaseURL: ISSUER, audience: RESOURCE, tokenSigningAlg: 'ES256', strict: true }));
app.get('/read', requiredScopes('docs:read'), (request, response) => response.json(request.auth.payload));
app.get('/write', requiredScopes('docs:write'), (_, response) => response.json({}));
app.use((error, _request, response, _next) => response.status(error.status ?? 500).json({ error: error.message }));
app.listen(Number(PORT), '127.0.0.1', () => console.log('listening'));
