// acme-client, unmodified, in its automatic mode: an account, a certificate by http-01, another one for the same names, and
// the revocation of that. It looks at its own answer to a challenge first, as it does wherever it is used.
//
// Environment: DIRECTORY, NAMES (with commas), HTTP01_PORT, FIRST and SECOND (files to write the chains to), KID and
// HMAC_KEY (empty: no external account), REASON; NODE_EXTRA_CA_CERTS, which node reads itself.
import "./machine.mjs";

import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";

import acme from "acme-client";

const env = process.env;
const names = env.NAMES.split(",");
const answers = new Map();
const PATH = "/.well-known/acme-challenge/";

const server = createServer((request, response) => {
  const answer = answers.get(request.url.slice(PATH.length));
  response.writeHead(request.url.startsWith(PATH) && answer ? 200 : 404);
  response.end(answer);
});
await new Promise((listening) => server.listen(Number(env.HTTP01_PORT), "127.0.0.1", listening));
acme.axios.defaults.acmeSettings.httpChallengePort = Number(env.HTTP01_PORT);

const client = new acme.Client({
  directoryUrl: env.DIRECTORY,
  accountKey: await acme.crypto.createPrivateEcdsaKey(),
  backoffMin: 50,
  ...(env.KID ? { externalAccountBinding: { kid: env.KID, hmacKey: env.HMAC_KEY } } : {}),
});

async function obtain(file) {
  const [, csr] = await acme.crypto.createCsr({ commonName: names[0], altNames: names });
  const chain = await client.auto({
    csr,
    email: "admin@example.com",
    termsOfServiceAgreed: true,
    challengePriority: ["http-01"],
    challengeCreateFn: async (_authorization, challenge, response) => answers.set(challenge.token, response),
    challengeRemoveFn: async (_authorization, challenge) => answers.delete(challenge.token),
  });
  await writeFile(file, chain);
  return chain;
}

try {
  await obtain(env.FIRST);
  const second = await obtain(env.SECOND);
  await client.revokeCertificate(acme.crypto.splitPemChain(second)[0], { reason: Number(env.REASON) });
} finally {
  server.close();
}
