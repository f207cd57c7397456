#!/usr/bin/env bash
# The example of Contoso, played with az alone: who founds what, who is given which right, and what each role may do then.
# Needs `certworker` in PATH and az (CERTWORKER_AZ names it). It serves a deployment of its own, and leaves nothing behind.
set -euo pipefail

az_program=${CERTWORKER_AZ:-az}
limit=${CONTOSO_SECONDS:-900}
work=$(mktemp -d "${TMPDIR:-/tmp}/contoso.XXXXXX")
home=$work/home
export REQUESTS_CA_BUNDLE=$home/az/ca-bundle.pem
server=

clean_up() {
    local status=$?
    trap - EXIT
    if [[ -n $server ]]; then
        kill -TERM "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    if ((status != 0)); then
        printf '\ncontoso: failed. The last lines of the service:\n' >&2
        tail -n 20 "$work/service.log" >&2 || true
    fi
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say() { printf '\n%s\n' "$*"; }
fail() {
    printf 'contoso: %s\n' "$*" >&2
    exit 1
}

# as WHO ARGUMENT...: az, with the log-in of WHO
as() {
    local who=$1
    shift
    ((SECONDS < limit)) || fail "it took longer than $limit seconds"
    AZURE_CONFIG_DIR=$work/$who timeout 90 "$az_program" "$@" --only-show-errors
}

# may WHO WHAT ARGUMENT...: WHO does something, and it must succeed; its output is kept in $work/out
may() {
    local who=$1 what=$2
    shift 2
    as "$who" "$@" >"$work/out" 2>"$work/err" || fail "$who could not: $what
az $*
$(cat "$work/err")"
    printf '  + %-13s %s\n' "$who" "$what"
}

# may_not WHO WHAT ARGUMENT...: WHO tries something, and must be refused for want of the right
may_not() {
    local who=$1 what=$2
    shift 2
    if as "$who" "$@" >"$work/out" 2>"$work/err"; then
        fail "$who was let: $what
az $*"
    fi
    grep -Eq 'AuthorizationFailed|Forbidden|does not have .* permission|Insufficient privileges|Authorization_RequestDenied' \
        "$work/err" || fail "$who was not refused but failed: $what
az $*
$(cat "$work/err")"
    printf '  - %-13s may not: %s\n' "$who" "$what"
}

answer() { tr -d '\r\n' <"$work/out"; }

# settings_for WHO: a folder of settings that knows the same cloud, and is logged in as nobody
settings_for() {
    mkdir -m 700 "$work/$1"
    cp "$home/az/config" "$home/az/clouds.config" "$work/$1/"
}

# log_in WHO NAME: by a device code, as at a terminal. az itself stands in for the browser in which WHO enters code and password.
# (az asks for a password only where the deployment is on port 443.)
log_in() {
    local who=$1 name=$2 code='' page value tries
    settings_for "$who"
    as "$who" login --use-device-code --tenant "$tenant" --allow-no-subscriptions --output none >"$work/login" 2>&1 &
    local waits=$!
    for ((tries = 0; tries < 300; tries++)); do
        code=$(sed -n 's/.* enter the code \([A-Z0-9-]*\).*/\1/p' "$work/login")
        [[ -n $code ]] && break
        sleep 0.2
    done
    [[ -n $code ]] || fail "$who got no code: $(cat "$work/login")"
    page=$(sed -n 's/.* open the page \([^ ]*\) .*/\1/p' "$work/login")
    value=$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')
    printf 'csrf=%s&user_code=%s&login=%s&passwd=%s&answer=sign-in' "$value" "$code" "$name" "${passwords[$who]}" >"$work/form"
    as administrator rest --method post --url "$page" --skip-authorization-header --body "@$work/form" --output none \
        --headers "Content-Type=application/x-www-form-urlencoded" "Cookie=__Host-certworker-form=$value" \
        --output-file "$work/page" 2>"$work/err" || fail "$who could not enter the code: $(cat "$work/err")"
    wait "$waits" || fail "$who could not log in: $(cat "$work/login")"
    printf '  + %-13s logs in as %s\n' "$who" "$name"
}

new_password() { printf 'Aa1-%s' "$(head -c 18 /dev/urandom | base64 | tr '+/' '-_')"; }

say "A deployment of its own is founded."
certworker dev --home "$home" --port 0 >"$work/service.log" 2>&1 &
server=$!
for ((tries = 0; tries < 600; tries++)); do
    [[ -e $home/dev.json ]] && break
    kill -0 "$server" 2>/dev/null || fail "certworker dev ended"
    sleep 0.2
done
[[ -e $home/dev.json ]] || fail "certworker dev did not come up"
certworker az-setup --home "$home" --az "$az_program" >/dev/null 2>"$work/err" || fail "az-setup: $(cat "$work/err")"
ln -s "$home/az" "$work/administrator"

may administrator "looks at the subscription" account show --query id --output tsv
subscription=$(answer)
tenant=$(as administrator account show --query tenantId --output tsv)
group=contoso
vault=contosokeyvault
store=contosologstorage
scope=/subscriptions/$subscription/resourceGroups/$group
vault_id=$scope/providers/Microsoft.KeyVault/vaults/$vault
store_id=$scope/providers/Microsoft.Storage/storageAccounts/$store

say "1. The directory: three security groups with somebody in each, and an application."
declare -A group_id passwords
for team in security:sam devops:dana auditor:aude; do
    role=${team%%:*} person=${team##*:}
    may administrator "makes the group Contoso $role" \
        ad group create --display-name "Contoso $role" --mail-nickname "contoso-$role" --query id --output tsv
    group_id[$role]=$(answer)
    passwords[$role]=$(new_password)
    printf %s "${passwords[$role]}" | as administrator ad user create --display-name "${person^}" \
        --user-principal-name "$person@contoso.com" --password @- --query id --output tsv >"$work/out" 2>"$work/err" ||
        fail "the user $person was not made: $(cat "$work/err")"
    may administrator "puts $person@contoso.com into it" \
        ad group member add --group "${group_id[$role]}" --member-id "$(answer)"
done
may administrator "registers the application" ad app create --display-name "Contoso application" --query appId --output tsv
client=$(answer)
may administrator "gives it a service principal" ad sp create --id "$client" --query id --output tsv
application_id=$(answer)
may administrator "gives it a secret" ad app credential reset --id "$client" --query password --output tsv
passwords[application]=$(answer)

say "2. The administrator makes the resource group and the store of the log, and lets the security team manage vaults."
may administrator "makes the resource group" group create --name "$group" --location local
may administrator "makes the store of the log" storage account create --name "$store" --resource-group "$group" --location local
may administrator "gives the security team Key Vault Contributor on the resource group" role assignment create \
    --assignee-object-id "${group_id[security]}" --assignee-principal-type Group --role "Key Vault Contributor" --scope "$scope"

say "3. Somebody of the security team logs in."
log_in security sam@contoso.com

say "4. The security team makes the vault. Turning its log on takes a role more."
may security "makes the premium vault" keyvault create --name "$vault" --resource-group "$group" --location local \
    --sku premium --enable-rbac-authorization false --no-self-perms true
may_not security "turn the log on" monitor diagnostic-settings create --name log --resource "$vault_id" \
    --storage-account "$store_id" --logs '[{"category": "AuditEvent", "enabled": true}]'
may administrator "gives the security team Monitoring Contributor on the resource group" role assignment create \
    --assignee-object-id "${group_id[security]}" --assignee-principal-type Group --role "Monitoring Contributor" --scope "$scope"
may security "turns the log on" monitor diagnostic-settings create --name log --resource "$vault_id" \
    --storage-account "$store_id" --logs '[{"category": "AuditEvent", "enabled": true}]'

say "5. The security team sets the access policies of the four roles. Before, it had no access itself."
may_not security "list secrets" keyvault secret list --vault-name "$vault"
may security "sets its own" keyvault set-policy --name "$vault" --resource-group "$group" --object-id "${group_id[security]}" \
    --key-permissions backup create delete get import list restore --secret-permissions all
may security "sets that of devops" keyvault set-policy --name "$vault" --resource-group "$group" \
    --object-id "${group_id[devops]}" --key-permissions list --secret-permissions list
may security "sets that of the auditors" keyvault set-policy --name "$vault" --resource-group "$group" \
    --object-id "${group_id[auditor]}" --key-permissions list --secret-permissions list
may security "sets that of the application" keyvault set-policy --name "$vault" --resource-group "$group" \
    --object-id "$application_id" --key-permissions sign --secret-permissions get

say "6. The administrator makes a role for devops, of Virtual Machine Contributor and the right to deploy from vaults."
deploy=Microsoft.KeyVault/vaults/deploy/action
as administrator role definition list --name "Virtual Machine Contributor" --output json --query "[0].{
    Name: 'Contoso devops', Description: 'Manages virtual machines, and deploys them with what is in a vault.', IsCustom: \`true\`,
    Actions: [permissions[0].actions, ['$deploy']][], NotActions: permissions[0].notActions,
    DataActions: permissions[0].dataActions, NotDataActions: permissions[0].notDataActions,
    AssignableScopes: ['/subscriptions/$subscription']}" >"$work/role.json" 2>"$work/err" || fail "$(cat "$work/err")"
may_not security "make a role" role definition create --role-definition "@$work/role.json"
may administrator "makes the role" role definition create --role-definition "@$work/role.json"
may_not security "give it to anybody" role assignment create --assignee-object-id "${group_id[devops]}" \
    --assignee-principal-type Group --role "Contoso devops" --scope "$scope"
may administrator "gives it to devops" role assignment create --assignee-object-id "${group_id[devops]}" \
    --assignee-principal-type Group --role "Contoso devops" --scope "$scope"
log_in devops dana@contoso.com
may devops "is told of the right to deploy" rest --method get --output tsv \
    --url "$scope/providers/Microsoft.Authorization/permissions?api-version=2022-04-01" --query "value[].actions[]"
grep -Fqx "$deploy" "$work/out" || fail "devops has not the right $deploy"

say "7. The administrator lets the auditors read the log."
may administrator "gives the auditors Storage Blob Data Reader on the store" role assignment create \
    --assignee-object-id "${group_id[auditor]}" --assignee-principal-type Group --role "Storage Blob Data Reader" \
    --scope "$store_id"
log_in auditor aude@contoso.com

say "8. Each role does what it may, and is refused what it may not. The application logs in with its secret."
settings_for application
printf %s "${passwords[application]}" | as application login --service-principal --username "$client" --password @- \
    --tenant "$tenant" --allow-no-subscriptions --output none 2>"$work/err" || fail "the application: $(cat "$work/err")"
digest=$(printf Contoso | openssl dgst -sha256 -binary | base64)
key=(--vault-name "$vault" --name contoso-key)
secret=(--vault-name "$vault" --name contoso-secret)

may security "creates a key" keyvault key create "${key[@]}" --kty RSA --size 2048
may security "reads its public part" keyvault key show "${key[@]}"
may security "backs it up" keyvault key backup "${key[@]}" --file "$work/key.backup"
may security "sets a secret" keyvault secret set "${secret[@]}" --value "the password of the database"
may security "reads the secret" keyvault secret show "${secret[@]}"
may_not security "sign with the key" keyvault key sign "${key[@]}" --algorithm RS256 --digest "$digest"
may_not security "purge a key" keyvault key purge "${key[@]}"
may_not security "list certificates" keyvault certificate list --vault-name "$vault"
may_not security "make a resource group" group create --name another --location local

for role in devops auditor; do
    may "$role" "lists the keys" keyvault key list --vault-name "$vault"
    may "$role" "lists the secrets" keyvault secret list --vault-name "$vault"
    may_not "$role" "read the key" keyvault key show "${key[@]}"
    may_not "$role" "read the secret" keyvault secret show "${secret[@]}"
    may_not "$role" "set a secret" keyvault secret set "${secret[@]}" --value other
    may_not "$role" "delete the key" keyvault key delete "${key[@]}"
    may_not "$role" "look at the vault" keyvault show --name "$vault" --resource-group "$group"
    may_not "$role" "change the vault" keyvault update --name "$vault" --resource-group "$group" --enable-purge-protection true
    may_not "$role" "give itself more" role assignment create --assignee-object-id "${group_id[$role]}" \
        --assignee-principal-type Group --role "Key Vault Administrator" --scope "$vault_id"
done

may application "signs with the key" keyvault key sign "${key[@]}" --algorithm RS256 --digest "$digest"
may application "reads the secret" keyvault secret show "${secret[@]}" --query value --output tsv
[[ $(answer) == "the password of the database" ]] || fail "the application read something else"
may_not application "list the secrets" keyvault secret list --vault-name "$vault"
may_not application "read the key" keyvault key show "${key[@]}"
may_not application "decrypt with the key" keyvault key decrypt "${key[@]}" --algorithm RSA-OAEP --value AAAA
may_not application "delete the secret" keyvault secret delete "${secret[@]}"

may_not administrator "read the secret: the two planes are apart" keyvault secret show "${secret[@]}"

say "9. The auditors read the log, and nobody else."
# az looks for what follows /subscriptions/ among the subscriptions that it was shown, and the application was shown none
events="${store_id/subscriptions/%73ubscriptions}/certworker/auditEvents?api-version=2026-11-01"
may auditor "reads the log" rest --method get --url "$events" --output json
for operation in VaultPut KeyCreate KeySign SecretGet; do
    grep -q "\"$operation\"" "$work/out" || fail "the log does not tell of $operation"
done
! grep -q "password of the database" "$work/out" || fail "the log tells a secret"
for role in security devops application administrator; do
    may_not "$role" "read the log" rest --method get --url "$events"
done

say "10. What was made is taken away again."
may security "deletes the vault" keyvault delete --name "$vault" --resource-group "$group"
may_not security "purge it" keyvault purge --name "$vault" --location local
may administrator "purges it" keyvault purge --name "$vault" --location local
may administrator "deletes the resource group" group delete --name "$group" --yes
say "Contoso is as it should be, after $SECONDS seconds."
