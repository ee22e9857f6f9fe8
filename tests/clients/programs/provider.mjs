// A certified OpenID provider. Arguments: port, Cognito's callback. Says so on standard output when it listens.
import Provider from "oidc-provider";

const [port, cognitoCallback] = process.argv.slice(2);
const callback = "https://app.example.com/callback";
const secret = (name) => `${name}-secret-of-at-least-32-characters`;

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    { client_id: "single-page", token_endpoint_auth_method: "none", redirect_uris: [callback],
      response_types: ["id_token token"], grant_types: ["implicit"] },
    { client_id: "web", client_secret: secret("web"), redirect_uris: [callback],
      response_types: ["code"], grant_types: ["authorization_code", "refresh_token"] },
    { client_id: "batch", client_secret: secret("batch"), redirect_uris: [],
      response_types: [], grant_types: ["client_credentials"] },
    { client_id: "cognito", client_secret: secret("cognito"), redirect_uris: [cognitoCallback],
      response_types: ["code"], grant_types: ["authorization_code"], token_endpoint_auth_method: "client_secret_post" },
  ],
  scopes: ["openid", "offline_access", "orders/read", "orders/write"],
  claims: { openid: ["sub", "groups"] },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, groups: ["staff"] }) }),
  extraTokenClaims: (_context, token) => (token.accountId ? { groups: ["staff"] } : undefined),
  issueRefreshToken: (_context, client) => client.grantTypeAllowed("refresh_token"),
  features: {
    clientCredentials: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => "https://orders.example.com",
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: "orders/read orders/write", audience: "orders", accessTokenFormat: "jwt", jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
  responseTypes: ["code", "id_token token"],
  pkce: { required: (_context, client) => client.clientId === "web" },
});
provider.listen(Number(port), "127.0.0.1");
