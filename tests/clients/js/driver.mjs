// What the scripts that drive Azure's SDKs have in common. One line of JSON for each step on standard output:
// {operation, ok, error}.
//
// Environment: AUTHORITY, TENANT_ID, CLIENT_ID, CLIENT_SECRET, API_VERSION (empty: the SDK's own); NODE_EXTRA_CA_CERTS, which
// node reads itself.
import "./machine.mjs";

import { ClientSecretCredential } from "@azure/identity";

export const env = process.env;
export const credential = new ClientSecretCredential(env.TENANT_ID, env.CLIENT_ID, env.CLIENT_SECRET, {
  authorityHost: env.AUTHORITY,
  disableInstanceDiscovery: true,
});
export const options = { retryOptions: { maxRetries: 0 }, ...(env.API_VERSION ? { serviceVersion: env.API_VERSION } : {}) };
export const QUICK = { intervalInMs: 20 };

const driven = new Set();

// An operation is a method, and whatever else says what is done with it.
export async function step(operation, act) {
  driven.add(operation.split(/[ ,]/)[0]);
  try {
    await act();
    console.log(JSON.stringify({ operation, ok: true, error: null }));
  } catch (error) {
    console.log(JSON.stringify({ operation, ok: false, error: String(error?.stack ?? error).split("\n    at ", 1)[0] }));
  }
}

export async function listed(pages) {
  const found = [];
  for await (const item of pages) {
    found.push(item);
  }
  return found;
}

export function methodsLeftOut(client, own = []) {
  const methods = Object.getOwnPropertyNames(client.prototype).filter((name) => name !== "constructor");
  return methods.filter((name) => !driven.has(name) && !own.includes(name));
}
