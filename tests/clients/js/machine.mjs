// What a machine may lack for the SDKs, given before they are loaded; nothing of theirs is changed.
import { webcrypto } from "node:crypto";
import dns from "node:dns";

// node 18, which Debian 12 has, keeps it under another name
globalThis.crypto ??= webcrypto;

// Names under .localhost are this machine (RFC 6761 section 6.3), whatever its resolver says of them.
const lookup = dns.lookup;

dns.lookup = (host, options, callback) => {
  if (!/(^|\.)localhost\.?$/i.test(host)) {
    return lookup(host, options, callback);
  }
  const answer = typeof options === "function" ? options : callback;
  const all = typeof options === "object" && options !== null && options.all;
  return process.nextTick(() => (all ? answer(null, [{ address: "127.0.0.1", family: 4 }]) : answer(null, "127.0.0.1", 4)));
};
