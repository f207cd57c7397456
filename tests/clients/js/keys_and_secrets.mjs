// Drives Azure's unmodified SecretClient, KeyClient and CryptographyClient against a running vault; node's own cryptography has
// the second opinion.
//
// Environment: what driver.mjs wants, and VAULT_URL.
import { credential, env, listed, methodsLeftOut, options, QUICK, step } from "./driver.mjs";

import assert from "node:assert/strict";
import { constants, createHash, createPublicKey, generateKeyPairSync, publicEncrypt, verify } from "node:crypto";

import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";
import { SecretClient } from "@azure/keyvault-secrets";

const keys = new KeyClient(env.VAULT_URL, credential, options);
const secrets = new SecretClient(env.VAULT_URL, credential, options);

const TEXT = Buffer.from("Zwölf Boxkämpfer");
const OWN = ["disambiguateUpdateKeyPropertiesArgs", "disambiguateEncryptArguments", "disambiguateDecryptArguments"];
const OWN_OF_CRYPTOGRAPHY = [...OWN, "initializeIV", "getKeyMaterial", "fetchKey", "getProvider", "ensureValid"];
// Each has a hash, and what node calls its signature.
const SIGNATURES = {
  RS256: ["rsa", "sha256", {}],
  RS512: ["rsa", "sha512", {}],
  PS384: ["rsa", "sha384", { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }],
  ES256: ["ec", "sha256", { dsaEncoding: "ieee-p1363" }],
  ES512: ["ec-521", "sha512", { dsaEncoding: "ieee-p1363" }],
};

const cryptography = (key) => new CryptographyClient(key, credential, options);
const base64url = (bytes) => Buffer.from(bytes).toString("base64url");

function publicKey({ key }) {
  const { kty, crv, n, e, x, y } = key;
  const members = kty === "RSA" ? { n, e } : { x, y };
  const jwk = Object.fromEntries(Object.entries(members).map(([name, value]) => [name, base64url(value)]));
  return createPublicKey({ key: { kty, crv, ...jwk }, format: "jwk" });
}

async function lifeOfASecret() {
  const expiresOn = new Date("2038-01-01T00:00:00Z");
  let first;
  await step("setSecret", async () => {
    first = await secrets.setSecret("Db", "hush 😀\n", { contentType: "text/plain", tags: { team: "a" }, expiresOn });
    assert.deepEqual([first.name, first.value], ["Db", "hush 😀\n"]);
    assert.deepEqual(first.properties.expiresOn, expiresOn);
    assert.equal(first.properties.recoveryLevel, "Recoverable+Purgeable");
    assert.equal((await secrets.setSecret("empty", "")).value, "");
    // what is after 2038-01-19, the SDK sends as a negative number
    await assert.rejects(secrets.setSecret("far", "x", { expiresOn: new Date("2100-01-01") }), { code: "BadParameter" });
    await assert.rejects(secrets.setSecret("large", "x".repeat(25601)), { code: "BadParameter", statusCode: 400 });
  });
  await step("getSecret", async () => {
    const second = await secrets.setSecret("db", "two");
    assert.equal((await secrets.getSecret("DB")).value, "two");
    assert.notEqual(second.properties.version, first.properties.version);
    const found = await secrets.getSecret("Db", { version: first.properties.version });
    assert.deepEqual([found.value, found.properties.contentType], ["hush 😀\n", "text/plain"]);
    await assert.rejects(secrets.getSecret("none"), { code: "SecretNotFound", statusCode: 404 });
  });
  await step("listPropertiesOfSecrets", async () => {
    const names = (await listed(secrets.listPropertiesOfSecrets())).map((found) => found.name);
    assert.deepEqual(names, ["Db", "empty"]);
    const pages = await listed(secrets.listPropertiesOfSecrets().byPage({ maxPageSize: 1 }));
    assert.deepEqual(pages.flat().map((found) => found.name), ["Db", "empty"]);
  });
  await step("listPropertiesOfSecretVersions", async () => {
    const versions = await listed(secrets.listPropertiesOfSecretVersions("Db"));
    assert.equal(versions.length, 2);
    assert.ok(versions.some((found) => found.version === first.properties.version));
  });
  await step("updateSecretProperties", async () => {
    const changed = await secrets.updateSecretProperties("Db", first.properties.version, { enabled: false, tags: { a: "b" } });
    assert.deepEqual([changed.enabled, changed.tags], [false, { a: "b" }]);
    await assert.rejects(secrets.getSecret("Db", { version: changed.version }), { code: "Forbidden", statusCode: 403 });
    const again = await secrets.updateSecretProperties("Db", changed.version, { enabled: true, contentType: "text" });
    assert.deepEqual([again.enabled, again.contentType, again.tags], [true, "text", { a: "b" }]);
  });
  await step("beginDeleteSecret", async () => {
    const deleted = await (await secrets.beginDeleteSecret("Db", QUICK)).pollUntilDone();
    assert.equal(deleted.recoveryId ?? deleted.properties.recoveryId, `${env.VAULT_URL}/deletedsecrets/Db`);
    await assert.rejects(secrets.getSecret("Db"), { statusCode: 404 });
    await assert.rejects(secrets.setSecret("Db", "x"), { statusCode: 409 });
  });
  await step("getDeletedSecret", async () => {
    assert.equal((await secrets.getDeletedSecret("db")).name, "Db");
  });
  await step("listDeletedSecrets", async () => {
    assert.deepEqual((await listed(secrets.listDeletedSecrets())).map((deleted) => deleted.name), ["Db"]);
  });
  await step("beginRecoverDeletedSecret", async () => {
    const recovered = await (await secrets.beginRecoverDeletedSecret("Db", QUICK)).pollUntilDone();
    assert.equal(recovered.name, "Db");
    assert.equal((await secrets.getSecret("Db")).value, "two");
  });
  let backup;
  await step("backupSecret", async () => {
    backup = await secrets.backupSecret("Db");
    assert.ok(backup.length > 0);
    assert.ok(!Buffer.from(backup).includes("hush"));
  });
  await step("purgeDeletedSecret", async () => {
    await (await secrets.beginDeleteSecret("Db", QUICK)).pollUntilDone();
    await secrets.purgeDeletedSecret("Db");
    await assert.rejects(secrets.getDeletedSecret("Db"), { statusCode: 404 });
  });
  await step("restoreSecretBackup", async () => {
    assert.equal((await secrets.restoreSecretBackup(backup)).name, "Db");
    assert.equal((await secrets.getSecret("Db", { version: first.properties.version })).value, "hush 😀\n");
    await assert.rejects(secrets.restoreSecretBackup(backup), { statusCode: 409 });
    await assert.rejects(secrets.restoreSecretBackup(Buffer.from("junk")), { statusCode: 400 });
  });
}

async function making() {
  await step("createRsaKey", async () => {
    const made = await keys.createRsaKey("rsa", { keySize: 2048, tags: { team: "a" } });
    assert.deepEqual([made.keyType, made.key.n.length, made.properties.tags], ["RSA", 256, { team: "a" }]);
    assert.deepEqual([...made.keyOperations].sort(), ["decrypt", "encrypt", "sign", "unwrapKey", "verify", "wrapKey"]);
    assert.equal(made.properties.exportable, false);
    assert.equal(made.properties.vaultUrl, env.VAULT_URL);
    await assert.rejects(keys.createRsaKey("small", { keySize: 1024 }), { code: "BadParameter", statusCode: 400 });
    // the vault is none with a hardware token, and no software key pretends
    await assert.rejects(keys.createRsaKey("hsm", { hsm: true }), { statusCode: 400 });
  });
  await step("createEcKey", async () => {
    const made = await keys.createEcKey("ec", { curve: "P-256", keyOps: ["sign", "verify"], enabled: true });
    assert.deepEqual([made.keyType, made.key.crv, made.key.x.length], ["EC", "P-256", 32]);
    assert.equal((await keys.createEcKey("ec-521", { curve: "P-521" })).key.x.length, 66);
  });
  await step("createOctKey", async () => {
    const made = await keys.createOctKey("oct", { keySize: 256 });
    assert.deepEqual([made.keyType, made.key.k], ["oct", undefined]);
  });
  await step("createKey", async () => {
    const expiresOn = new Date("2020-01-01T00:00:00Z");
    const made = await keys.createKey("old", "EC", { expiresOn, notBefore: new Date("2019-01-01T00:00:00Z") });
    assert.deepEqual(made.properties.expiresOn, expiresOn);
    await assert.rejects(keys.createKey("bad", "DSA"), { code: "BadParameter" });
  });
  await step("importKey", async () => {
    const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const { kty, ...members } = pair.privateKey.export({ format: "jwk" });
    const jwk = Object.fromEntries(Object.entries(members).map(([name, text]) => [name, Buffer.from(text, "base64url")]));
    const taken = await keys.importKey("imported", { kty, ...jwk, keyOps: ["sign", "verify"] }, { tags: { from: "js" } });
    assert.deepEqual(taken.keyOperations, ["sign", "verify"]);
    assert.equal(taken.key.d, undefined);
    assert.ok(publicKey(taken).equals(pair.publicKey));
    const k = Buffer.alloc(16, 7);
    assert.equal((await keys.importKey("imported-oct", { kty: "oct", k, keyOps: ["encrypt", "decrypt"] })).keyType, "oct");
    await assert.rejects(keys.importKey("bad", { kty, ...jwk, p: jwk.q }), { code: "BadParameter" });
  });
  await step("getKey", async () => {
    const found = await keys.getKey("RSA");
    assert.equal(found.name, "rsa");
    const same = await keys.getKey("rsa", { version: found.properties.version });
    assert.deepEqual(same.key.n, found.key.n);
    await assert.rejects(keys.getKey("none"), { code: "KeyNotFound", statusCode: 404 });
  });
  await step("listPropertiesOfKeys", async () => {
    const names = ["ec", "ec-521", "imported", "imported-oct", "oct", "old", "rsa"];
    assert.deepEqual((await listed(keys.listPropertiesOfKeys())).map((found) => found.name), names);
    const pages = await listed(keys.listPropertiesOfKeys().byPage({ maxPageSize: 3 }));
    assert.deepEqual(pages.flat().map((found) => found.name), names);
  });
}

async function changing() {
  await step("updateKeyProperties", async () => {
    const { version } = (await keys.getKey("ec")).properties;
    const changed = await keys.updateKeyProperties("ec", version, { enabled: false, tags: { a: "b" }, keyOps: ["verify"] });
    assert.deepEqual([changed.properties.enabled, changed.properties.tags], [false, { a: "b" }]);
    assert.deepEqual(changed.keyOperations, ["verify"]);
    const again = await keys.updateKeyProperties("ec", { enabled: true, keyOps: ["sign", "verify"] });
    assert.deepEqual([again.properties.enabled, again.properties.version], [true, version]);
  });
  await step("rotateKey", async () => {
    const before = await keys.getKey("rsa");
    const rotated = await keys.rotateKey("rsa");
    assert.notEqual(rotated.properties.version, before.properties.version);
    assert.deepEqual([rotated.keyType, rotated.key.n.length], ["RSA", 256]);
    await assert.rejects(keys.rotateKey("none"), { statusCode: 404 });
  });
  await step("listPropertiesOfKeyVersions", async () => {
    assert.equal((await listed(keys.listPropertiesOfKeyVersions("rsa"))).length, 2);
  });
  await step("updateKeyRotationPolicy", async () => {
    const actions = [
      { action: "Rotate", timeAfterCreate: "P90D" },
      { action: "Notify", timeBeforeExpiry: "P30D" },
    ];
    const set = await keys.updateKeyRotationPolicy("rsa", { expiresIn: "P1Y", lifetimeActions: actions });
    assert.deepEqual([set.expiresIn, set.lifetimeActions.length], ["P1Y", 2]);
    await assert.rejects(keys.updateKeyRotationPolicy("rsa", { expiresIn: "P1D", lifetimeActions: [] }), { statusCode: 400 });
  });
  await step("getKeyRotationPolicy", async () => {
    const policy = await keys.getKeyRotationPolicy("rsa");
    assert.equal(policy.id, `${env.VAULT_URL}/keys/rsa/rotationpolicy`);
    assert.deepEqual(policy.lifetimeActions[0], { action: "Rotate", timeAfterCreate: "P90D", timeBeforeExpiry: undefined });
    assert.ok((await keys.rotateKey("rsa")).properties.expiresOn > new Date());
  });
  await step("getRandomBytes", async () => {
    assert.equal((await keys.getRandomBytes(32)).length, 32);
    await assert.rejects(keys.getRandomBytes(129), { code: "BadParameter" });
  });
  await step("getKeyAttestation", async () => {
    const { version } = (await keys.getKey("rsa")).properties;
    await assert.rejects(keys.getKeyAttestation("rsa", { version }), { code: "BadParameter", statusCode: 400 });
  });
  await step("releaseKey", async () => {
    const { version } = (await keys.getKey("rsa")).properties;
    // a key that was not made exportable stays
    await assert.rejects(keys.releaseKey("rsa", "e30.e30.e30", { version }), (error) => [400, 403, 405].includes(error.statusCode));
  });
}

async function signing() {
  await step("sign", async () => {
    for (const [algorithm, [name, hash, more]] of Object.entries(SIGNATURES)) {
      const key = await keys.getKey(name);
      const digest = createHash(hash).update(TEXT).digest();
      const signed = await cryptography(key).sign(algorithm, digest);
      assert.equal(signed.keyID, key.id);
      assert.ok(verify(hash, TEXT, { key: publicKey(key), ...more }, Buffer.from(signed.result)), algorithm);
    }
    const mac = await cryptography(await keys.getKey("oct")).sign("HS256", TEXT);
    assert.equal(mac.result.length, 32);
    await assert.rejects(cryptography(await keys.getKey("ec")).sign("ES256", Buffer.alloc(31)), { statusCode: 400 });
    const old = cryptography(await keys.getKey("old"));
    await assert.rejects(old.sign("ES256", Buffer.alloc(32)), /expired at 2020/);
    // the vault would, the SDK does not
    await assert.rejects(old.verify("ES256", Buffer.alloc(32), Buffer.alloc(64)), /expired at 2020/);
    await assert.rejects(cryptography(`${env.VAULT_URL}/keys/none`).sign("ES256", Buffer.alloc(32)), { statusCode: 404 });
  });
  await step("verify", async () => {
    for (const [algorithm, [name, hash]] of Object.entries(SIGNATURES)) {
      const client = cryptography(await keys.getKey(name));
      const digest = createHash(hash).update(TEXT).digest();
      const { result } = await client.sign(algorithm, digest);
      assert.equal((await client.verify(algorithm, digest, result)).result, true, algorithm);
      assert.equal((await client.verify(algorithm, createHash(hash).digest(), result)).result, false, algorithm);
    }
  });
  await step("signData", async () => {
    for (const [algorithm, [name, hash, more]] of Object.entries(SIGNATURES)) {
      const key = await keys.getKey(name);
      const { result } = await cryptography(key).signData(algorithm, TEXT);
      assert.ok(verify(hash, TEXT, { key: publicKey(key), ...more }, Buffer.from(result)), algorithm);
    }
  });
  await step("verifyData", async () => {
    for (const [algorithm, [name]] of Object.entries(SIGNATURES)) {
      const client = cryptography(await keys.getKey(name));
      const { result } = await client.signData(algorithm, TEXT);
      // the SDK verifies an RSA signature itself, and takes each for one of PKCS#1 v1.5
      assert.equal((await client.verifyData(algorithm, TEXT, result)).result, !algorithm.startsWith("PS"), algorithm);
      assert.equal((await client.verifyData(algorithm, Buffer.from("else"), result)).result, false, algorithm);
    }
  });
  await step("getCryptographyClient", async () => {
    const { result } = await keys.getCryptographyClient("ec").signData("ES256", TEXT);
    assert.equal((await cryptography(await keys.getKey("ec")).verifyData("ES256", TEXT, result)).result, true);
  });
}

async function encrypting() {
  await step("encrypt", async () => {
    const key = await keys.getKey("rsa");
    for (const algorithm of ["RSA1_5", "RSA-OAEP", "RSA-OAEP-256"]) {
      const { result, keyID } = await cryptography(key).encrypt({ algorithm, plaintext: TEXT });
      assert.deepEqual([result.length, keyID], [256, key.id]);
    }
    // the SDK means to make an iv for CBC, and makes none
    await assert.rejects(cryptography(await keys.getKey("oct")).encrypt({ algorithm: "A256CBCPAD", plaintext: TEXT }), {
      code: "BadParameter",
    });
    await assert.rejects(cryptography(key).encrypt("RSA-OAEP-256", Buffer.alloc(191)), { statusCode: 400 });
  });
  await step("decrypt", async () => {
    const key = await keys.getKey("rsa");
    const client = cryptography(key);
    for (const algorithm of ["RSA1_5", "RSA-OAEP", "RSA-OAEP-256"]) {
      const { result } = await client.encrypt({ algorithm, plaintext: TEXT });
      assert.deepEqual(Buffer.from((await client.decrypt({ algorithm, ciphertext: result })).result), TEXT, algorithm);
    }
    const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" };
    const ciphertext = publicEncrypt({ key: publicKey(key), ...padding }, TEXT);
    assert.deepEqual(Buffer.from((await client.decrypt("RSA-OAEP-256", ciphertext)).result), TEXT);
    ciphertext[7] ^= 1;
    await assert.rejects(client.decrypt("RSA-OAEP-256", ciphertext), { code: "BadParameter", statusCode: 400 });
  });
  await step("decrypt what AES encrypted", async () => {
    const client = cryptography(await keys.getKey("oct"));
    const additionalAuthenticatedData = Buffer.from("row 7");
    const sealed = await client.encrypt({ algorithm: "A256GCM", plaintext: TEXT, additionalAuthenticatedData });
    assert.deepEqual([sealed.iv.length, sealed.authenticationTag.length], [12, 16]);
    const parts = { iv: sealed.iv, authenticationTag: sealed.authenticationTag, additionalAuthenticatedData };
    const opened = await client.decrypt({ algorithm: "A256GCM", ciphertext: sealed.result, ...parts });
    assert.deepEqual(Buffer.from(opened.result), TEXT);
    const altered = { ...parts, authenticationTag: Buffer.alloc(16) };
    await assert.rejects(client.decrypt({ algorithm: "A256GCM", ciphertext: sealed.result, ...altered }), { statusCode: 400 });
    const iv = Buffer.alloc(16, 9);
    const blocks = await client.encrypt({ algorithm: "A256CBCPAD", plaintext: TEXT, iv });
    const again = await client.decrypt({ algorithm: "A256CBCPAD", ciphertext: blocks.result, iv });
    assert.deepEqual(Buffer.from(again.result), TEXT);
  });
  const secret = Buffer.alloc(32, 5);
  await step("wrapKey", async () => {
    for (const [name, algorithm, size] of [["rsa", "RSA-OAEP", 256], ["rsa", "RSA-OAEP-256", 256], ["oct", "A256KW", 40]]) {
      const { result } = await cryptography(await keys.getKey(name)).wrapKey(algorithm, secret);
      assert.equal(result.length, size, algorithm);
    }
    await assert.rejects(cryptography(await keys.getKey("oct")).wrapKey("A256KW", Buffer.alloc(17)), { statusCode: 400 });
  });
  await step("unwrapKey", async () => {
    for (const [name, algorithm] of [["rsa", "RSA1_5"], ["rsa", "RSA-OAEP"], ["rsa", "RSA-OAEP-256"], ["oct", "A256KW"]]) {
      const client = cryptography(await keys.getKey(name));
      const { result } = await client.wrapKey(algorithm, secret);
      assert.deepEqual(Buffer.from((await client.unwrapKey(algorithm, result)).result), secret, algorithm);
    }
  });
  await step("keyID", async () => {
    const key = await keys.getKey("rsa");
    assert.equal(cryptography(key).keyID, key.id);
  });
  await step("vaultUrl", async () => {
    assert.equal(cryptography(await keys.getKey("rsa")).vaultUrl.replace(/\/$/, ""), env.VAULT_URL);
  });
}

async function putAway() {
  let backup;
  let key;
  await step("backupKey", async () => {
    key = await keys.getKey("ec");
    backup = await keys.backupKey("ec");
    assert.ok(backup.length > 0);
  });
  await step("beginDeleteKey", async () => {
    const deleted = await (await keys.beginDeleteKey("ec", QUICK)).pollUntilDone();
    assert.equal(deleted.properties.recoveryId, `${env.VAULT_URL}/deletedkeys/ec`);
    assert.ok(deleted.properties.scheduledPurgeDate > deleted.properties.deletedOn);
    await assert.rejects(keys.getKey("ec"), { statusCode: 404 });
    await assert.rejects(keys.createEcKey("ec"), { statusCode: 409 });
    await assert.rejects(cryptography(key).signData("ES256", TEXT), { statusCode: 404 });
  });
  await step("getDeletedKey", async () => {
    assert.equal((await keys.getDeletedKey("EC")).name, "ec");
    await assert.rejects(keys.getDeletedKey("none"), { code: "KeyNotFound" });
  });
  await step("listDeletedKeys", async () => {
    assert.deepEqual((await listed(keys.listDeletedKeys())).map((deleted) => deleted.name), ["ec"]);
  });
  await step("beginRecoverDeletedKey", async () => {
    const recovered = await (await keys.beginRecoverDeletedKey("ec", QUICK)).pollUntilDone();
    assert.equal(recovered.id, key.id);
    assert.equal((await cryptography(key).signData("ES256", TEXT)).result.length, 64);
  });
  await step("purgeDeletedKey", async () => {
    await (await keys.beginDeleteKey("ec", QUICK)).pollUntilDone();
    await keys.purgeDeletedKey("ec");
    await assert.rejects(keys.getDeletedKey("ec"), { statusCode: 404 });
  });
  await step("restoreKeyBackup", async () => {
    const restored = await keys.restoreKeyBackup(backup);
    assert.deepEqual([restored.id, restored.key.x], [key.id, key.key.x]);
    assert.equal((await cryptography(restored).signData("ES256", TEXT)).result.length, 64);
    await assert.rejects(keys.restoreKeyBackup(backup), { statusCode: 409 });
  });
}

async function nothingIsLeftOut() {
  await step("every method of SecretClient, KeyClient and CryptographyClient", async () => {
    assert.deepEqual(methodsLeftOut(SecretClient), []);
    assert.deepEqual(methodsLeftOut(KeyClient, OWN), []);
    assert.deepEqual(methodsLeftOut(CryptographyClient, OWN_OF_CRYPTOGRAPHY), []);
  });
}

for (const part of [lifeOfASecret, making, changing, signing, encrypting, putAway, nothingIsLeftOut]) {
  await part();
}
