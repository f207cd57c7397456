// An OpenID Connect provider that is not ours: gives JWT access tokens, by keys that can be changed while it runs.
// PORT, CERTIFICATE, KEY, AUDIENCE and CLIENT_SECRET are told by the environment; lines on stdin: "rotate".
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const { PORT, CERTIFICATE, KEY, AUDIENCE, CLIENT_SECRET } = process.env;
const issuer = `https://localhost:${PORT}`;

function newKey(kid, alg) {
  const pair = alg === "ES256" ? generateKeyPairSync("ec", { namedCurve: "P-256" }) : generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...pair.privateKey.export({ format: "jwk" }), kid, alg, use: "sig" };
}

function provider(key) {
  return new Provider(issuer, {
    clients: [{ client_id: "pipeline", client_secret: CLIENT_SECRET, grant_types: ["client_credentials"], redirect_uris: [], response_types: [], id_token_signed_response_alg: key.alg }],
    jwks: { keys: [key] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => AUDIENCE,
        getResourceServerInfo: () => ({ scope: "", audience: AUDIENCE, accessTokenFormat: "jwt", jwt: { sign: { alg: key.alg } } }),
      },
    },
    extraTokenClaims: () => ({ groups: ["22222222-2222-2222-2222-222222222222"] }),
  });
}

let handle = provider(newKey("first", "RS256")).callback();
const server = createServer({ cert: readFileSync(CERTIFICATE), key: readFileSync(KEY) }, (request, response) => handle(request, response));
server.listen(Number(PORT), "127.0.0.1", () => process.stdout.write("ready\n"));
createInterface({ input: process.stdin })
  .on("line", () => {
    handle = provider(newKey("second", "ES256")).callback();
    process.stdout.write("rotated\n");
  })
  .on("close", () => process.exit(0));
