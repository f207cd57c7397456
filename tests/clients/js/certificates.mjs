// Drives every operation of Azure's unmodified CertificateClient, and what SecretClient reads of certificates, against a
// running vault.
//
// Environment: what driver.mjs wants, and VAULT_URL; ISSUER_PROVIDER, a provider that issues; PFX and PEM, files to be imported;
// CA_CERTIFICATE and CA_KEY, a CA that signs what is merged, and CA_DER, its certificate in DER.
import { credential, env, listed, methodsLeftOut, options, QUICK, step } from "./driver.mjs";

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

import { CertificateClient } from "@azure/keyvault-certificates";
import { SecretClient } from "@azure/keyvault-secrets";

const certificates = new CertificateClient(env.VAULT_URL, credential, options);
const secrets = new SecretClient(env.VAULT_URL, credential, options);

const POLICY = {
  issuerName: "Self",
  subject: "CN=web.example",
  subjectAlternativeNames: { dnsNames: ["web.example", "www.example"], emails: ["ada@web.example"] },
  keyType: "EC",
  keyCurveName: "P-256",
  keyUsage: ["digitalSignature"],
};
const MANUAL = { ...POLICY, issuerName: "Unknown" };
const CONTACTS = [{ email: "ada@contoso.example", name: "Ada", phone: "1" }, { email: "bob@contoso.example" }];

async function create(name, policy, more = {}) {
  return (await certificates.beginCreateCertificate(name, policy, { ...QUICK, ...more })).pollUntilDone();
}

function signed(csr) {
  const command = ["x509", "-req", "-inform", "DER", "-outform", "DER", "-days", "30", "-set_serial", "7"];
  const signer = ["-CA", env.CA_CERTIFICATE, "-CAkey", env.CA_KEY];
  return execFileSync("openssl", [...command, ...signer], { input: Buffer.from(csr), stdio: ["pipe", "pipe", "ignore"] });
}

async function lifeOfASelfSignedOne() {
  let made;
  await step("beginCreateCertificate", async () => {
    made = await create("Web", POLICY, { tags: { team: "a" }, enabled: true });
    assert.equal(made.name, "Web");
    assert.deepEqual(made.properties.tags, { team: "a" });
    assert.equal(made.properties.recoveryLevel, "Recoverable+Purgeable");
    const leaf = new X509Certificate(made.cer);
    assert.equal(leaf.subject, "CN=web.example");
    assert.equal(leaf.fingerprint.replaceAll(":", "").toLowerCase(), made.properties.x509ThumbprintString);
    assert.deepEqual(made.policy.subjectAlternativeNames, POLICY.subjectAlternativeNames);
  });
  await step("getCertificate", async () => {
    const found = await certificates.getCertificate("web");
    assert.deepEqual(found.cer, made.cer);
    assert.equal(found.policy.keyCurveName, "P-256");
    await assert.rejects(certificates.getCertificate("none"), { code: "CertificateNotFound", statusCode: 404 });
  });
  await step("getCertificateVersion", async () => {
    const found = await certificates.getCertificateVersion("Web", made.properties.version);
    assert.deepEqual(found.cer, made.cer);
    assert.equal(found.secretId, `${env.VAULT_URL}/secrets/Web/${made.properties.version}`);
  });
  await step("getCertificatePolicy", async () => {
    const policy = await certificates.getCertificatePolicy("Web");
    assert.equal(policy.validityInMonths, 12);
    assert.deepEqual(policy.lifetimeActions, [
      { action: "AutoRenew", daysBeforeExpiry: undefined, lifetimePercentage: 80 },
    ]);
  });
  await step("updateCertificatePolicy", async () => {
    const policy = await certificates.getCertificatePolicy("Web");
    await certificates.updateCertificatePolicy("Web", { ...policy, validityInMonths: 6 });
    const changed = await certificates.getCertificatePolicy("Web");
    assert.deepEqual(changed, { ...policy, validityInMonths: 6 });
  });
  await step("updateCertificateProperties", async () => {
    const changed = await certificates.updateCertificateProperties("Web", made.properties.version, {
      enabled: false,
      tags: { team: "b" },
    });
    assert.equal(changed.properties.enabled, false);
    assert.deepEqual(changed.properties.tags, { team: "b" });
    const again = await certificates.updateCertificateProperties("Web", "", { enabled: true });
    assert.equal(again.properties.enabled, true);
  });
  await step("listPropertiesOfCertificateVersions", async () => {
    await create("Web", POLICY);
    const versions = (await listed(certificates.listPropertiesOfCertificateVersions("Web"))).map((found) => found.version);
    assert.equal(versions.length, 2);
    assert.ok(versions.includes(made.properties.version));
    assert.deepEqual(await listed(certificates.listPropertiesOfCertificateVersions("none")), []);
  });
  await step("listPropertiesOfCertificates", async () => {
    await create("other", POLICY);
    await certificates.beginCreateCertificate("pending", MANUAL, QUICK);
    const names = async (more) => (await listed(certificates.listPropertiesOfCertificates(more))).map((found) => found.name);
    assert.deepEqual(await names({}), ["other", "Web"]);
    assert.deepEqual(await names({ includePending: true }), ["other", "pending", "Web"]);
    const pages = await listed(certificates.listPropertiesOfCertificates({}).byPage({ maxPageSize: 1 }));
    assert.deepEqual(pages.flat().map((found) => found.name), ["other", "Web"]);
  });
}

async function operations() {
  await step("getCertificateOperation of a certificate that is there", async () => {
    const poller = await certificates.getCertificateOperation("Web", QUICK);
    assert.equal(poller.getOperationState().certificateOperation.status, "completed");
    assert.equal((await poller.pollUntilDone()).name, "Web");
  });
  await step("getCertificateOperation", async () => {
    const poller = await certificates.getCertificateOperation("pending", QUICK);
    const { certificateOperation } = poller.getOperationState();
    assert.equal(certificateOperation.status, "inProgress");
    assert.equal(certificateOperation.issuerName, "Unknown");
    assert.ok(certificateOperation.csr.length > 0);
    assert.equal(poller.isDone(), false);
    const pending = await certificates.getCertificate("pending");
    assert.equal(pending.properties.enabled, false);
    assert.equal(pending.cer, undefined);
    assert.equal(pending.policy.subject, "CN=web.example");
  });
  await step("getCertificateOperation, cancelled", async () => {
    await certificates.beginCreateCertificate("cancelled", MANUAL, QUICK);
    const poller = await certificates.getCertificateOperation("cancelled", QUICK);
    await poller.cancelOperation();
    assert.equal(poller.getOperationState().certificateOperation.cancellationRequested, true);
    await assert.rejects(poller.pollUntilDone(), { name: "PollerCancelledError" });
  });
  await step("beginCreateCertificate, cancelled", async () => {
    const poller = await certificates.beginCreateCertificate("given-up", MANUAL, QUICK);
    await poller.cancelOperation();
    await assert.rejects(poller.pollUntilDone(), { name: "PollerCancelledError" });
  });
  await step("beginCreateCertificate, resumed", async () => {
    const poller = await certificates.beginCreateCertificate("resumed", { ...POLICY, issuerName: "js-ca" }, QUICK);
    const resumed = await certificates.beginCreateCertificate("resumed", POLICY, { ...QUICK, resumeFrom: poller.toString() });
    assert.equal((await resumed.pollUntilDone()).name, "resumed");
  });
  await step("deleteCertificateOperation", async () => {
    const last = await certificates.deleteCertificateOperation("given-up");
    assert.equal(last.cancellationRequested, true);
    await assert.rejects(certificates.deleteCertificateOperation("given-up"), { code: "PendingCertificateNotFound" });
  });
  await step("mergeCertificate", async () => {
    await certificates.beginCreateCertificate("merged", MANUAL, QUICK);
    const poller = await certificates.getCertificateOperation("merged", QUICK);
    const leaf = signed(poller.getOperationState().certificateOperation.csr);
    const merged = await certificates.mergeCertificate("merged", [leaf, readFileSync(env.CA_DER)]);
    assert.deepEqual(Buffer.from(merged.cer), leaf);
    assert.equal((await poller.pollUntilDone()).properties.version, merged.properties.version);
  });
}

async function issuers() {
  const credentials = { accountId: "me", password: "hush" };
  const details = {
    organizationId: "org",
    administratorContacts: [{ firstName: "Ada", lastName: "L", email: "ada@contoso.example", phone: "1" }],
  };
  await step("createIssuer", async () => {
    const made = await certificates.createIssuer("js-ca", env.ISSUER_PROVIDER, { ...credentials, ...details, enabled: true });
    // the SDK's own reading of an issuer's id makes "issuers" of its name
    assert.equal(made.id, `${env.VAULT_URL}/certificates/issuers/js-ca`);
    assert.equal(made.password, undefined);
    assert.deepEqual(made.administratorContacts, details.administratorContacts);
  });
  await step("getIssuer", async () => {
    const found = await certificates.getIssuer("js-ca");
    assert.deepEqual([found.provider, found.accountId, found.organizationId], [env.ISSUER_PROVIDER, "me", "org"]);
    await assert.rejects(certificates.getIssuer("none"), { code: "CertificateIssuerNotFound" });
  });
  await step("listPropertiesOfIssuers", async () => {
    const found = await listed(certificates.listPropertiesOfIssuers());
    assert.deepEqual(found.map((issuer) => issuer.provider), [env.ISSUER_PROVIDER]);
    assert.ok(found[0].id.endsWith("/certificates/issuers/js-ca"));
  });
  await step("updateIssuer", async () => {
    const changed = await certificates.updateIssuer("js-ca", { accountId: "you" });
    assert.deepEqual([changed.accountId, changed.provider, changed.organizationId], ["you", env.ISSUER_PROVIDER, "org"]);
  });
  await step("beginCreateCertificate from an issuer", async () => {
    const made = await create("issued", { ...POLICY, issuerName: "js-ca" });
    assert.notEqual(new X509Certificate(made.cer).issuer, "CN=web.example");
    assert.equal(made.policy.issuerName, "js-ca");
  });
}

async function contacts() {
  await step("setContacts", async () => {
    const set = await certificates.setContacts(CONTACTS);
    assert.deepEqual(set.map((contact) => contact.email), CONTACTS.map((contact) => contact.email));
  });
  await step("getContacts", async () => {
    const found = await certificates.getContacts();
    assert.deepEqual([found[0].name, found[0].phone, found[1].name], ["Ada", "1", undefined]);
  });
  await step("deleteContacts", async () => {
    assert.ok(await certificates.deleteContacts());
    await assert.rejects(certificates.getContacts(), { code: "ContactsNotFound", statusCode: 404 });
  });
}

async function importing() {
  await step("importCertificate", async () => {
    const made = await certificates.importCertificate("imported", readFileSync(env.PFX), { tags: { from: "js" } });
    assert.equal(new X509Certificate(made.cer).subject, "CN=imported.example");
    assert.equal(made.policy.issuerName, "Unknown");
    assert.deepEqual(made.properties.tags, { from: "js" });
  });
  await step("importCertificate in PEM", async () => {
    const policy = { contentType: "application/x-pem-file", issuerName: "Unknown", subject: "CN=imported.example" };
    const made = await certificates.importCertificate("imported-pem", readFileSync(env.PEM), { policy });
    assert.equal(made.policy.contentType, "application/x-pem-file");
    const secret = await secrets.getSecret("imported-pem");
    assert.ok(secret.value.startsWith("-----BEGIN PRIVATE KEY-----"));
  });
}

async function reading() {
  await step("getSecret", async () => {
    const secret = await secrets.getSecret("Web");
    assert.equal(secret.properties.contentType, "application/x-pkcs12");
    assert.equal(secret.properties.managed, true);
    assert.equal(secret.properties.certificateKeyId, `${env.VAULT_URL}/keys/Web/${secret.properties.version}`);
    assert.ok(Buffer.from(secret.value, "base64").length > 500);
    const same = await secrets.getSecret("web", { version: secret.properties.version });
    assert.equal(same.value, secret.value);
  });
  await step("listPropertiesOfSecrets", async () => {
    const found = await listed(secrets.listPropertiesOfSecrets());
    assert.ok(found.some((secret) => secret.name === "Web" && secret.managed));
  });
  await step("listPropertiesOfSecretVersions", async () => {
    assert.equal((await listed(secrets.listPropertiesOfSecretVersions("Web"))).length, 2);
  });
}

async function deleting() {
  let backup;
  await step("backupCertificate", async () => {
    backup = await certificates.backupCertificate("other");
    assert.ok(backup.length > 0);
  });
  await step("beginDeleteCertificate", async () => {
    const poller = await certificates.beginDeleteCertificate("Web", QUICK);
    const deleted = await poller.pollUntilDone();
    assert.equal(deleted.recoveryId, `${env.VAULT_URL}/deletedcertificates/Web`);
    assert.ok(deleted.scheduledPurgeDate > deleted.deletedOn);
    await assert.rejects(certificates.getCertificate("Web"), { statusCode: 404 });
  });
  await step("getDeletedCertificate", async () => {
    assert.equal((await certificates.getDeletedCertificate("Web")).name, "Web");
    await assert.rejects(certificates.getDeletedCertificate("none"), { code: "CertificateNotFound" });
  });
  await step("listDeletedCertificates", async () => {
    const found = await listed(certificates.listDeletedCertificates());
    assert.deepEqual(found.map((deleted) => deleted.name), ["Web"]);
    assert.ok(found[0].deletedOn instanceof Date);
  });
  await step("beginRecoverDeletedCertificate", async () => {
    const recovered = await (await certificates.beginRecoverDeletedCertificate("Web", QUICK)).pollUntilDone();
    assert.equal(recovered.name, "Web");
    assert.equal((await certificates.getCertificate("Web")).name, "Web");
  });
  await step("purgeDeletedCertificate", async () => {
    await (await certificates.beginDeleteCertificate("other", QUICK)).pollUntilDone();
    await certificates.purgeDeletedCertificate("other");
    await assert.rejects(certificates.getDeletedCertificate("other"), { statusCode: 404 });
  });
  await step("restoreCertificateBackup", async () => {
    const restored = await certificates.restoreCertificateBackup(backup);
    assert.equal(restored.name, "other");
    assert.equal((await secrets.getSecret("other")).properties.managed, true);
  });
}

async function nothingIsLeftOut() {
  await step("deleteIssuer", async () => {
    assert.equal((await certificates.deleteIssuer("js-ca")).provider, env.ISSUER_PROVIDER);
    await assert.rejects(certificates.getIssuer("js-ca"), { statusCode: 404 });
  });
  await step("every method of CertificateClient", async () => {
    assert.deepEqual(methodsLeftOut(CertificateClient), []);
  });
}

for (const part of [lifeOfASelfSignedOne, issuers, operations, contacts, importing, reading, deleting, nothingIsLeftOut]) {
  await part();
}
