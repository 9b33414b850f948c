#!/usr/bin/env bash
# From an empty subscription to all that the hook needs in Azure: README.md beside this file says how it is used.
#
# No secret is in an argument, where every user of the machine could read it: az reads them from standard
# input, and the document `secrets` from secrets.toml, which only its owner can read. What an extension of az
# would be needed for goes through `az rest`, so this needs none. Whatever is there already is left as it is,
# so a run that was stopped is simply repeated.
# The options are set by their names: options.sh.
# shellcheck disable=SC2154
set -euo pipefail

here=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
readonly here
# shellcheck source=deploy/azure/provision/options.sh
. "$here/provision/options.sh"
# shellcheck source=deploy/azure/provision/az.sh
. "$here/provision/az.sh"
# shellcheck source=deploy/azure/provision/checks.sh
. "$here/provision/checks.sh"
# shellcheck source=deploy/azure/provision/costs.sh
. "$here/provision/costs.sh"

usage() { # command, or nothing
  local option
  if [ -z "${1-}" ]; then
    cat <<'USAGE'
Usage: provision.sh COMMAND --options FILE
       provision.sh COMMAND --OPTION VALUE --OPTION=VALUE ...

plan         says what create would make and what it costs, and checks what can be checked
create       makes it; repeat it as often as you like
names        prints the names of what is made, for a shell to source
settings     prints settings.env for the manifests, and says what belongs into settings.toml
okta-header  prints what is pasted into Okta, to a terminal only
subscribe    has Event Grid bring the delivery reports of ACS to the hook, once the hook is up
destroy      deletes all of it

FILE has lines of OPTION=VALUE, such as data_location=Europe: write it once for all commands. What a
command does not take is passed over. provision.sh COMMAND --help says what it needs.
USAGE
    return
  fi
  case "$1" in
    plan) printf 'Says what create would make and what a month of it costs, and checks what can be checked. Makes nothing.\n' ;;
    create) printf 'Makes the resources, and the secrets in the Key Vault. What is there already it leaves.\n' ;;
    names) printf 'Prints the names of what create makes, as lines of name=value.\n' ;;
    settings) printf 'Prints settings.env of deploy/spinkube, filled in. On standard error: what belongs into settings.toml.\n' ;;
    okta-header) printf "Prints the secret of Okta's hook in the form in which it is pasted into Okta. To a terminal only.\n" ;;
    subscribe) printf 'Makes the Event Grid subscription of the ACS resource. Repeat it when reports.secret has changed.\n' ;;
    destroy) printf 'Deletes what create and subscribe made, after it has asked. The Key Vault is kept for 90 days by Azure.\n' ;;
  esac
  printf '\nUsage: provision.sh %s --options FILE, or\n' "$1"
  options_of "$1"
  for option in $needed; do list_option "$option"; done
  printf 'and, if you want,\n'
  for option in $taken; do
    case " $needed " in *" $option "*) ;; *) list_option "$option" ;; esac
  done
}

say() { printf '%s\n' "$*"; }
die() {
  printf 'provision.sh: %s\n' "$1" >&2
  shift
  if [ "$#" -gt 0 ]; then printf '  fix: %s\n' "$*" >&2; fi
  exit 1
}
trap 'printf "\nprovision.sh: stopped. Run the same command again: it goes on where it stopped.\n" >&2; exit 130' INT TERM

# The versions of Azure's management APIs that the bodies below are written for.
readonly ACS_API=2023-04-01 INSIGHTS_API=2020-02-02 REDIS_API=2025-07-01 SUBSCRIPTION_API=2022-06-15
readonly AKS_API=2025-05-01 REGISTRY_API=2023-07-01 ZONE_API=2018-05-01 STORAGE_API=2023-05-01 VAULT_API=2023-07-01
readonly IDENTITY_API=2023-01-31 WORKSPACE_API=2023-09-01
# The first that has all of what is used here.
readonly AZ_VERSION=2.86.0
# What the cluster that is made runs: the one that the components of docs/upgrade.md#versions are for.
readonly KUBERNETES_VERSION=1.36

readonly all_options='subscription group location provider acs_resource data_location zone host zone_group email
  okta_fallback okta_user hook schema name service_account officer officer_type aks aks_group node_size redis_sku
  redis_network image without_aks without_redis private_redis refresh_secrets no_check dry_run yes'
# Not '' as the format: bash 3.2 then leaves the variable unset.
for option in $all_options; do printf -v "$option" %s ''; done
options_file=''

command=''
case "${1:-}" in
  plan | create | names | settings | okta-header | subscribe | destroy) command=$1 && shift ;;
  -h | --help) usage && exit 0 ;;
  '') usage >&2 && exit 2 ;;
  *)
    printf 'provision.sh: there is no command %s\n  fix: provision.sh --help lists them\n' "$1" >&2
    exit 2 ;;
esac
read_command_line "$@"
need_options

# What is not said.
hook=${hook:-https://$host}
name=${name:-oktasms} schema=${schema:-cloudevents} okta_user=${okta_user:-okta} officer_type=${officer_type:-User}
service_account=${service_account:-okta-telephony:okta-telephony-secrets} node_size=${node_size:-Standard_D2as_v5}
# Whether one was asked for counts where a Redis is there already.
wanted_redis_sku=$redis_sku redis_sku=${redis_sku:-Balanced_B0}

# Some of the names must be nobody else's in all of Azure, and the same at each run.
suffix=$(printf %s "$subscription/$group/$name" | tr '[:upper:]' '[:lower:]' | cksum | cut -d' ' -f1)
suffix=$(printf '%08x' "$suffix")
suffix=${suffix:0:6}
readonly root=/subscriptions/$subscription/resourceGroups/$group
readonly providers=$root/providers
readonly vault_name=kv-$name-$suffix storage_name=st$name$suffix registry_name=cr$name$suffix
readonly redis_name=redis-$name-$suffix workspace_name=log-$name insights_name=appi-$name
readonly identity_name=id-$name-hook dns_identity_name=id-$name-dns
readonly topic_name=egst-$name-reports event_subscription_name=okta-telephony
readonly secrets_file=secrets.toml
readonly acs_id=${acs_resource:-$providers/Microsoft.Communication/communicationServices/acs-$name-$suffix}
readonly acs_name=${acs_id##*/}
# A system topic is in the group of what it tells of.
IFS=/ read -r _ _ topic_subscription _ topic_group _ <<<"$acs_id"
readonly topic_subscription topic_group
readonly vault_id=$providers/Microsoft.KeyVault/vaults/$vault_name
readonly registry_id=$providers/Microsoft.ContainerRegistry/registries/$registry_name
readonly cluster_name=${aks:-aks-$name} cluster_group=${aks_group:-$group}
readonly cluster_id=$providers/Microsoft.ContainerService/managedClusters/$cluster_name
readonly dns_group=${zone_group:-$group}
readonly zone_id=/subscriptions/$subscription/resourceGroups/$dns_group/providers/Microsoft.Network/dnsZones/$zone
readonly workspace_id=$providers/Microsoft.OperationalInsights/workspaces/$workspace_name
readonly insights_id=$providers/Microsoft.Insights/components/$insights_name
readonly storage_id=$providers/Microsoft.Storage/storageAccounts/$storage_name
readonly container_name=dead-letters
readonly container_id=$storage_id/blobServices/default/containers/$container_name
readonly redis_id=$providers/Microsoft.Cache/redisEnterprise/$redis_name
readonly identity_id=$providers/Microsoft.ManagedIdentity/userAssignedIdentities/$identity_name
readonly dns_identity_id=$providers/Microsoft.ManagedIdentity/userAssignedIdentities/$dns_identity_name
# Of a group that create made, so that destroy may delete it.
readonly made_here=made-by=okta-telephony

# What the owner's provider needs in the document `secrets`, besides ACS, whose key has an entry of the vault.
secret_fields() {
  case "$provider" in
    infobip | telesign) say api_key ;;
    twilio) say api_key_sid api_key_secret auth_token ;;
  esac
}

# The environment variable that has it.
secret_variable() { printf %s "${provider}_$1" | tr '[:lower:]' '[:upper:]'; } # field

# By the list of names: az does not tell a secret that is missing from other trouble, and fetches no value.
secrets=''
listed() { [[ $'\n'"$2"$'\n' == *$'\n'"$1"$'\n'* ]]; } # name, names
secret_there() {
  if [ -n "$dry_run" ]; then
    say "# unless $1 is in the list:"
    return 1
  fi
  listed "$1" "$secrets" || return 1
  say "secret $1 is there"
}

set_secret() { # name, value, what a dry run shows of it
  [ -n "$2" ] || die "secret $1 would be empty" "run this again; if it stays, look at the resource in the portal"
  run_with_input "secret $1: writing it" "you need Key Vault Secrets Officer on $vault_name; a deleted secret: az keyvault secret recover" \
    "$2" "printf %s \"$3\"" \
    keyvault secret set --subscription "$subscription" --vault-name "$vault_name" --name "$1" \
    --file /dev/stdin
}

# Sets $random to a secret that nobody but the hook and its callers know.
random=''
new_secret() {
  random=$(openssl rand -base64 32) || die "openssl made no random bytes" "look at your openssl"
}

# The hook's document `secrets`. What is in secrets.toml already is the owner's, and is not touched.
write_secrets_file() { # Application Insights' connection string
  local insights=$1 operator reports store field variable own=''
  if [ -e "$secrets_file" ]; then
    say "$secrets_file is there: it is taken as it is"
    return
  fi
  new_secret && operator=$random
  new_secret && reports=$random
  new_secret && store=$random
  for field in $(secret_fields); do
    variable=$(secret_variable "$field")
    own+=$'\n'"$field = \"${!variable}\""
  done
  [ -z "$own" ] || own=$'\n'"[providers.$provider]$own"
  say "$secrets_file: writing it"
  # Readable for nobody else from the beginning, and never over another file.
  (
    umask 077
    set -o noclobber
    cat >"$secrets_file" <<SECRETS
# The hook's document \`secrets\`: docs/settings.md says what else it may hold. This is the secret \`secrets\` of
# the Key Vault $vault_name. After a change:
#   az keyvault secret set --vault-name $vault_name --name secrets --file $secrets_file --output none

[operator]
secret = "$operator"

[reports]
secret = "$reports"

# Not to be changed: with it all counters and hashes begin anew.
[store]
secret = "$store"

[application_insights]
connection_string = "$insights"
$own
SECRETS
  ) || die "$secrets_file can't be written here" "go to a folder of yours and run this again"
}

# The value of reports.secret in a document, or nothing: as a line of its own, without escapes.
reports_secret_of() {
  printf '%s\n' "$1" | awk '
    /^[ \t]*\[/ { table = $0; sub(/#.*/, "", table); gsub(/[ \t\r]/, "", table) }
    !found && (table == "[reports]" && /^[ \t]*secret[ \t]*=/ || table == "" && /^[ \t]*reports\.secret[ \t]*=/) {
      sub(/^[^=]*=[ \t]*/, "")
      if (match($0, /^"[^"\\]*"/) || match($0, /^\047[^\047]*\047/)) { print substr($0, 2, RLENGTH - 2); found = 1 }
    }'
}

wanted() { # a secret that comes from a resource: absent, or to be written anew
  if [ -n "$refresh_secrets" ]; then return 0; fi
  ! secret_there "$1"
}

percent_encoded() {
  local text=$1 character out='' i
  for ((i = 0; i < ${#text}; i++)); do
    character=${text:i:1}
    case "$character" in
      [A-Za-z0-9._~-]) out+=$character ;;
      *) out+=$(printf '%%%02X' "'$character") ;;
    esac
  done
  printf %s "$out"
}

# The resource providers of all that is made.
namespaces() {
  say Microsoft.KeyVault Microsoft.OperationalInsights Microsoft.Insights Microsoft.ManagedIdentity
  if [ "$provider" = acs ]; then say Microsoft.Communication Microsoft.Storage Microsoft.EventGrid; fi
  if [ -z "$without_redis" ]; then say Microsoft.Cache; fi
  if [ -z "$without_aks" ]; then
    say Microsoft.Compute Microsoft.Network Microsoft.ContainerService Microsoft.ContainerRegistry
  fi
}

register_providers() {
  local namespace
  for namespace in $(namespaces); do
    if [ -n "$dry_run" ]; then
      say "# unless this says Registered:"
      azure provider show --subscription "$subscription" --namespace "$namespace" --query registrationState --output tsv
    elif registered "$namespace"; then
      continue
    fi
    run "resource provider $namespace: registering it" \
      "somebody with Contributor on the subscription must register it" \
      provider register --subscription "$subscription" --namespace "$namespace" --wait
  done
}

make_group() {
  there "resource group $group" group show --subscription "$subscription" --name "$group" && return
  run "resource group $group: making it" "you need Contributor on the subscription, or the group made for you" \
    group create --subscription "$subscription" --name "$group" --location "$location" --tags "$made_here"
}

make_registry() {
  made "container registry $registry_name" "$registry_id" $REGISTRY_API && return
  run "container registry $registry_name: making it" "another --name, if that one is taken" \
    acr create --subscription "$subscription" --resource-group "$group" --name "$registry_name" \
    --location "$location" --sku Standard --admin-enabled false
}

# Begins with it and waits at the end: it takes ten minutes, as Redis does.
begin_cluster() {
  [ -z "$aks" ] || return 0
  resource_there "AKS cluster $cluster_name" "$cluster_id" $AKS_API && return
  # The label brings Spin to the nodes, those of an upgrade too. Network policies hold only with --network-policy.
  run "AKS cluster $cluster_name: beginning to make it, for ten minutes" "see what az says" \
    aks create --subscription "$subscription" --resource-group "$group" --name "$cluster_name" --location "$location" \
    --kubernetes-version "$KUBERNETES_VERSION" \
    --tier standard --node-count 3 --zones 1 2 3 --node-vm-size "$node_size" --nodepool-labels spin=true \
    --network-plugin azure --network-plugin-mode overlay --network-dataplane cilium --network-policy cilium \
    --enable-oidc-issuer --enable-workload-identity --enable-gateway-api --enable-app-routing-istio \
    --no-ssh-key --no-wait
}

make_acs() {
  if [ -n "$acs_resource" ]; then return; fi
  made "ACS resource $acs_name" "$acs_id" $ACS_API && return
  put "ACS resource $acs_name: making it; Microsoft gives a new one no numbers" \
    "ACS takes no new customers since 2026-10-23: --acs-resource with one that you have, or another --provider" \
    "$acs_id" $ACS_API "{\"location\":\"global\",\"properties\":{\"dataLocation\":\"$data_location\"}}"
}

make_vault() {
  resource_there "Key Vault $vault_name" "$vault_id" $VAULT_API && return
  run "Key Vault $vault_name: making it" \
    "if it was deleted: az keyvault recover --subscription $subscription --name $vault_name. It can't be purged" \
    keyvault create --subscription "$subscription" --resource-group "$group" --name "$vault_name" \
    --location "$location" --sku standard --enable-rbac-authorization true --enable-purge-protection true \
    --retention-days 90
}

# Whoever runs this must be able to write secrets, which an owner of the vault can't by that alone.
let_officer_write() {
  local tries=0
  if [ -z "$officer" ]; then
    ask "asking az who is signed in" "name somebody with --officer OBJECT_ID and --officer-type" OFFICER \
      ad signed-in-user show --query id
    officer=$value
  fi
  role "$officer_type $officer" "$officer" "$officer_type" "Key Vault Secrets Officer" "$vault_id"
  # A role that was just given holds after some minutes.
  if [ -n "$dry_run" ]; then
    azure keyvault secret list --subscription "$subscription" --vault-name "$vault_name" --query '[].name' --output tsv
    return
  fi
  until secrets=$(azure keyvault secret list --subscription "$subscription" --vault-name "$vault_name" \
    --query '[].name' --output tsv 2>/dev/null); do
    tries=$((tries + 1))
    [ "$tries" -lt 30 ] || die "the secrets of $vault_name can't be listed after 10 minutes" \
      "is the vault's network closed to you? Does $officer_type $officer have Key Vault Secrets Officer?"
    say "  waiting until the role holds"
    sleep "${PROVISION_WAIT_SECONDS:-20}"
  done
}

make_telemetry() {
  if ! resource_there "Log Analytics workspace $workspace_name" "$workspace_id" $WORKSPACE_API; then
    run "Log Analytics workspace $workspace_name: making it" "see what az says" \
      monitor log-analytics workspace create --subscription "$subscription" --resource-group "$group" \
      --workspace-name "$workspace_name" --location "$location" --retention-time 30
  fi
  # DisableLocalAuth false: the hook has an instrumentation key to show, and nothing else.
  made "Application Insights $insights_name" "$insights_id" $INSIGHTS_API && return
  put "Application Insights $insights_name: making it" "see what az says" "$insights_id" $INSIGHTS_API \
    "{\"location\":\"$location\",\"kind\":\"web\",\"properties\":{\"Application_Type\":\"web\",\"WorkspaceResourceId\":\"$workspace_id\",\"DisableLocalAuth\":false}}"
}

# What was asked for, of a Redis that is there: nothing here changes one, so it must not look as if it did.
same_redis() {
  if [ -n "$private_redis" ]; then
    ask "asking for Redis' network" "see what az says" Disabled \
      resource show --ids "$redis_id" --api-version $REDIS_API --query properties.publicNetworkAccess
    [ "$value" = Disabled ] || die "$redis_name has a public endpoint, although --private-redis is said" \
      "disable its public access in the portal, once your private endpoint is there, or leave --private-redis out"
  fi
  if [ -n "$wanted_redis_sku" ]; then
    ask "asking for Redis' SKU" "see what az says" "$redis_sku" \
      resource show --ids "$redis_id" --api-version $REDIS_API --query sku.name
    [ "$value" = "$redis_sku" ] || die "$redis_name is $value, although --redis-sku $redis_sku is said" \
      "scale it in the portal, or leave --redis-sku out"
  fi
}

make_redis() {
  local network=Enabled
  if [ -n "$private_redis" ]; then network=Disabled; fi
  if made "Azure Managed Redis $redis_name" "$redis_id" $REDIS_API; then
    same_redis
  else
    put "Azure Managed Redis $redis_name: making it, for a quarter of an hour" \
      "another --redis-sku, or --without-redis" "$redis_id" $REDIS_API \
      "{\"location\":\"$location\",\"sku\":{\"name\":\"$redis_sku\"},\"properties\":{\"minimumTlsVersion\":\"1.2\",\"highAvailability\":\"Enabled\",\"publicNetworkAccess\":\"$network\"}}"
  fi
  # NoCluster: Spin's client does not follow a cluster. Encrypted: there is no port without TLS. Access keys:
  # Spin's Redis store has one URL, so a password that does not expire after an hour.
  made "its database" "$redis_id/databases/default" $REDIS_API && return
  put "its database: making it" "see what az says" "$redis_id/databases/default" $REDIS_API \
    '{"properties":{"clientProtocol":"Encrypted","port":10000,"clusteringPolicy":"NoCluster","evictionPolicy":"NoEviction","accessKeysAuthentication":"Enabled"}}'
}

make_dead_letters() {
  if ! resource_there "storage account $storage_name" "$storage_id" $STORAGE_API; then
    run "storage account $storage_name: making it" "another --name, if that one is taken" \
      storage account create --subscription "$subscription" --resource-group "$group" --name "$storage_name" \
      --location "$location" --sku Standard_LRS --kind StorageV2 --https-only true --min-tls-version TLS1_2 \
      --allow-blob-public-access false --allow-shared-key-access false
  fi
  if ! resource_there "container $container_name" "$container_id" $STORAGE_API; then
    run "container $container_name: making it" "see what az says" \
      storage container-rm create --subscription "$subscription" --resource-group "$group" \
      --storage-account "$storage_name" --name "$container_name"
  fi
  # There are phone numbers in them.
  resource_there "rule that deletes dead letters" "$storage_id/managementPolicies/default" $STORAGE_API && return
  local rule='{"rules":[{"name":"dead-letters","enabled":true,"type":"Lifecycle","definition":{"filters":{"blobTypes":["blockBlob"],"prefixMatch":["dead-letters/"]},"actions":{"baseBlob":{"delete":{"daysAfterModificationGreaterThan":30}}}}}]}'
  run_with_input "rule that deletes dead letters after 30 days: making it" "see what az says" \
    "$rule" "printf %s '$rule'" \
    storage account management-policy create --subscription "$subscription" --resource-group "$group" \
    --account-name "$storage_name" --policy @-
}

# An identity, and its role. $principal is its object id then.
make_identity() { # name, id, role, scope
  if ! resource_there "managed identity $1" "$2" $IDENTITY_API; then
    run "managed identity $1: making it" "see what az says" \
      identity create --subscription "$subscription" --resource-group "$group" --name "$1" --location "$location"
  fi
  ask "asking for the object id of $1" "run this again in a minute" PRINCIPAL \
    resource show --ids "$2" --api-version $IDENTITY_API --query properties.principalId
  role "managed identity $1" "$value" ServicePrincipal "$3" "$4"
}

make_zone() {
  if [ -z "$zone_group" ] && ! resource_there "DNS zone $zone" "$zone_id" $ZONE_API; then
    run "DNS zone $zone: making it" "see what az says" \
      network dns zone create --subscription "$subscription" --resource-group "$group" --name "$zone"
  fi
  # cert-manager proves by it that the host is yours.
  make_identity "$dns_identity_name" "$dns_identity_id" "DNS Zone Contributor" "$zone_id"
}

federate() { # identity, NAMESPACE:NAME of a service account
  # az writes over one of that name, so a new cluster's issuer takes the place of the old one's.
  run "federated credential of $1 for ${2/:/\/}: making it" \
    "the identity can have 20; an issuer and a subject go together once" \
    identity federated-credential create --subscription "$subscription" --resource-group "$group" \
    --identity-name "$1" --name "${2//[:.]/-}" --issuer "$issuer" \
    --subject "system:serviceaccount:$2" --audiences api://AzureADTokenExchange
}

let_cluster_in() {
  if [ -z "$aks" ]; then wait_for "az aks show --name $cluster_name --resource-group $group" "$cluster_id" $AKS_API; fi
  ask "asking for the cluster's OIDC issuer" \
    "az aks update --name $cluster_name --resource-group $cluster_group --enable-oidc-issuer --enable-workload-identity" \
    https://ISSUER \
    aks show --subscription "$subscription" --resource-group "$cluster_group" --name "$cluster_name" \
    --query oidcIssuerProfile.issuerUrl
  issuer=$value
  federate "$identity_name" "$service_account"
  federate "$dns_identity_name" cert-manager:cert-manager
  ask "asking for the identity that pulls images" "see what az says" KUBELET \
    aks show --subscription "$subscription" --resource-group "$cluster_group" --name "$cluster_name" \
    --query identityProfile.kubeletidentity.objectId
  role "nodes of $cluster_name" "$value" ServicePrincipal AcrPull "$registry_id"
}

write_secrets() {
  local host_name
  if ! secret_there okta-basic-secret; then
    if [ -z "$dry_run" ]; then new_secret; else random=none; fi
    set_secret okta-basic-secret "$random" "\$(openssl rand -base64 32)"
  fi
  if [ "$provider" = acs ]; then
    if wanted acs-connection-string; then
      ask "asking for the ACS keys" "you need Contributor on $acs_name" CONNECTION_STRING \
        rest --method post --url "$acs_id/listKeys?api-version=$ACS_API" --query primaryConnectionString
      set_secret acs-connection-string "$value" "\$CONNECTION_STRING"
    fi
  elif ! secret_there acs-connection-string; then
    # The manifests want the entry, a vault takes no empty one, and the hook takes a blank for none.
    set_secret acs-connection-string ' ' ' '
  fi
  if ! secret_there secrets; then
    ask "asking for Application Insights' connection string" "see what az says" CONNECTION_STRING \
      resource show --ids "$insights_id" --api-version $INSIGHTS_API --query properties.ConnectionString
    if [ -n "$dry_run" ]; then
      say "# unless $secrets_file is there, it is written, for nobody else to read: secrets of [operator], [reports] and"
      say "# [store] by openssl rand -base64 32, and the connection string of [application_insights]"
    else
      write_secrets_file "$value"
    fi
    run "secret secrets: writing it, from $secrets_file" \
      "you need Key Vault Secrets Officer on $vault_name, and $secrets_file may have 25 KB; a deleted secret: az keyvault secret recover" \
      keyvault secret set --subscription "$subscription" --vault-name "$vault_name" --name secrets --file "$secrets_file"
  fi
  [ -z "$without_redis" ] || return 0
  if wanted records-redis-url; then
    ask "asking for Redis' name" "see what az says" HOST \
      resource show --ids "$redis_id" --api-version $REDIS_API --query properties.hostName
    host_name=$value
    ask "asking for Redis' key" "you need Contributor on $redis_name" KEY \
      rest --method post --url "$redis_id/databases/default/listKeys?api-version=$REDIS_API" --query primaryKey
    set_secret records-redis-url "rediss://:$(percent_encoded "$value")@$host_name:10000" \
      "rediss://:\$KEY@\$HOST:10000"
  fi
}

# How the next command is called.
again() { # command
  local script=$here/provision.sh options='with the same options'
  if [ -n "$options_file" ]; then options="--options $options_file"; fi
  say "${script#"$PWD"/} $1 $options"
}

tell() {
  local servers
  if [ -n "$dry_run" ]; then return; fi
  say "
Done."
  if [ -e "$secrets_file" ]; then
    say "
$secrets_file holds secrets. The vault has them, so it can go; to have it again:
  az keyvault secret download --vault-name $vault_name --name secrets --file $secrets_file"
  fi
  if [ -n "$without_aks" ]; then
    ask_endpoint
    say "
The hook's outbound_host1 is $endpoint, and its secrets are in the Key Vault $vault_name."
    return
  fi
  if [ -z "$zone_group" ]; then
    ask "asking for the zone's name servers" "see what az says" '' \
      network dns zone show --subscription "$subscription" --resource-group "$dns_group" --name "$zone" \
      --query nameServers
    servers=$value
    say "
Have ${zone#*.} delegate $zone to these name servers:
$(printf '%s\n' "$servers" | sed 's/^/  /')"
  fi
  say "
Next:
  az aks get-credentials --subscription $subscription --resource-group $cluster_group --name $cluster_name
  bring the image into $registry_name.azurecr.io and SpinKube into the cluster: docs/install-aks.md
  $(again settings) > deploy/spinkube/overlays/mine/settings.env"
}

# Sets $endpoint, to which telemetry goes.
ask_endpoint() {
  ask "asking for Application Insights' connection string" "run create first" '' \
    resource show --ids "$insights_id" --api-version $INSIGHTS_API --query properties.ConnectionString
  [[ "$value" =~ IngestionEndpoint=(https://[^;/]+) ]] ||
    die "the connection string of $insights_name has no IngestionEndpoint" "look at it in the portal"
  endpoint=${BASH_REMATCH[1]}
}

plan() {
  local namespace unknown=''
  say "create would make, in group $group of subscription $subscription, in $location:
"
  show_costs
  command -v az >/dev/null || {
    say "
Nothing was checked: az is not installed."
    return
  }
  check_tools openssl
  check_account
  check_rights
  check_before_making
  end_if_troubled
  for namespace in $(namespaces); do registered "$namespace" || unknown+=" $namespace"; done
  say "
Checked: nothing known stands in the way."
  [ -z "$unknown" ] || say "create registers these resource providers, and checks then what only they know:$unknown"
}

create() {
  if [ -n "$dry_run" ]; then
    say "# first what plan checks"
  else
    check_tools openssl
    check_account
    check_rights
    end_if_troubled
  fi
  register_providers
  if [ -z "$dry_run" ]; then
    check_before_making
    end_if_troubled
  fi
  make_group
  if [ -z "$without_aks" ]; then
    make_registry
    begin_cluster
  fi
  if [ "$provider" = acs ]; then make_acs; fi
  make_vault
  let_officer_write
  make_telemetry
  if [ -z "$without_redis" ]; then make_redis; fi
  if [ "$provider" = acs ]; then make_dead_letters; fi
  make_identity "$identity_name" "$identity_id" "Key Vault Secrets User" "$vault_id"
  write_secrets
  if [ -z "$without_aks" ]; then
    make_zone
    let_cluster_in
  fi
  tell
}

names() {
  say "registry=$registry_name
cluster=$cluster_name
cluster_group=$cluster_group
vault=$vault_name
workspace=$workspace_name
insights=$insights_name
identity=$identity_name"
}

# The public address of a name, by whichever tool is there.
address_of() { # name
  if command -v dig >/dev/null; then
    dig +short A "$1" | awk '/^[0-9.]+$/ { found = $0 } END { print found }'
  elif command -v getent >/dev/null; then
    getent ahostsv4 "$1" | awk 'NR == 1 { print $1 }'
  fi
}

# Sets $redis_network.
find_redis_network() {
  local address
  if [ -n "$redis_network" ]; then return; fi
  if [ -n "$without_redis" ]; then
    # Any will do: nothing is called there.
    redis_network=10.224.0.0/12
    return
  fi
  ask "asking for Redis' name" "run create first, or say --without-redis" '' \
    resource show --ids "$redis_id" --api-version $REDIS_API --query properties.hostName
  address=$(address_of "$value") || address=''
  [ -n "$address" ] || die "$value has no public address, or dig is not installed" \
    "say --redis-network ADDRESS/BITS: of a private Redis the network of its endpoint"
  redis_network=$address/32
}

# Sets $image to the one that the registry has of this version.
find_image() {
  local version
  if [ -n "$image" ]; then return; fi
  version=$(awk -F '"' '/^version *=/ { print $2; exit }' "$here/../../Cargo.toml")
  ask "asking for okta-telephony-acs:$version in $registry_name" \
    "bring the image there first (docs/install-aks.md), or say --image NAME@sha256:DIGEST" '' \
    acr repository show --subscription "$subscription" --name "$registry_name" \
    --image "okta-telephony-acs:$version" --query digest
  image=$registry_name.azurecr.io/okta-telephony-acs@$value
}

# What the settings must say of the provider's account, besides its secrets.
account_settings() {
  case "$provider" in
    infobip) say 'base_url = "https://FILL-IN.api.infobip.com"' ;;
    telesign) say 'customer_id = "FILL-IN"' ;;
    twilio) say 'account_sid = "FILL-IN"' ;;
  esac
}

settings() {
  local template=$here/../spinkube/overlays/example/settings.env client dns_client status values public_url=''
  check_tools
  check_account
  find_image
  ask_endpoint
  ask "asking for the client id of $identity_name" "run create first" '' \
    resource show --ids "$identity_id" --api-version $IDENTITY_API --query properties.clientId
  client=$value
  ask "asking for the client id of $dns_identity_name" "run create first" '' \
    resource show --ids "$dns_identity_id" --api-version $IDENTITY_API --query properties.clientId
  dns_client=$value
  find_redis_network
  values="HOST=$host
IMAGE=$image
OUTBOUND_HOST1=$endpoint
OUTBOUND_HOST2=https://*.communication.azure.com
OUTBOUND_HOST3=https://*.communication.azure.com
KEY_VAULT=$vault_name
KEY_VAULT_URL=https://$vault_name.vault.azure.net
CLIENT_ID=$client
TENANT_ID=$tenant
REDIS_NETWORK=$redis_network
ACME_EMAIL=$email
DNS_SUBSCRIPTION_ID=$subscription
DNS_RESOURCE_GROUP=$dns_group
DNS_ZONE=$zone
CERT_MANAGER_CLIENT_ID=$dns_client"
  # The example, with the values in the place of its own.
  printf '%s\n' "$values" | awk -F = '
    NR == FNR { value[$1] = substr($0, length($1) + 2); next }
    /^[A-Z]/ {
      if (!($1 in value)) { print "provision.sh: it knows no value for " $1 > "/dev/stderr"; exit 1 }
      print $1 "=" value[$1]
      next
    }
    { print }' - "$template"
  if [ "$okta_fallback" = yes ]; then
    status='# Okta still sends by itself what it is told has failed: so what is refused here is told as sent.
refusal_status = "successful"'
  else
    status='# Okta has no provider of its own: so what is refused here stays unsent, and Okta hears the truth.
refusal_status = "failed"'
  fi
  # Twilio reports to where each message says.
  if [ "$provider" = twilio ]; then public_url="public_url = \"https://$host\""$'\n\n'; fi
  cat >&2 <<TOML
# settings.toml beside it must have this, with your values for each FILL-IN, and your senders (docs/providers.md):
${public_url}[policy]
$status

[[providers]]
kind = "$provider"
$(account_settings)
TOML
}

# The header is a secret, so it goes to a terminal and into no log.
header_for_okta() {
  [ -t 1 ] || die "standard output is no terminal, and what is printed is a secret" \
    "run this in a terminal. For a script: az keyvault secret show --vault-name $vault_name --name okta-basic-secret --query value"
  ask "asking for okta-basic-secret" "run create first; you need Key Vault Secrets Officer or User on $vault_name" '' \
    keyvault secret show --subscription "$subscription" --vault-name "$vault_name" --name okta-basic-secret --query value
  cat <<HEADER
In Okta, Workflow > Inline Hooks > Add Inline Hook > Telephony:

URL                    https://${host:-HOST}/api/okta-telephony
Authentication field   Authorization
Authentication secret  Basic $(printf %s "$okta_user:$value" | openssl base64 -A)
HEADER
}

# Event Grid calls the hook when the subscription is made, so a hook that is not in order shows here first. It asks for
# what is public on all hosts: that nobody delivers reports without the secret.
check_hook() {
  local status
  local ask=(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 10 --request POST
    --header 'Content-Type: application/json' --data '[]' "$hook/api/delivery-reports")
  [ -z "$no_check" ] || return 0
  if [ -n "$dry_run" ]; then
    show "${ask[@]}"
    return
  fi
  status=$("${ask[@]}" </dev/null) || status=${status:-000}
  case "$status" in
    401) ;;
    000) die "$hook can't be reached" "is the hook up, and its certificate one that the public trusts?" ;;
    30?) die "$hook redirects ($status)" "name the host that answers itself: neither Okta nor Event Grid follows" ;;
    503) die "the hook takes no reports (503)" "it must have reports.secret of the document secrets: look at its log" ;;
    *) die "$hook/api/delivery-reports answers $status, not 401" "is that the hook? --no-check goes on anyway" ;;
  esac
}

# Sets $topic_id. An ACS resource has one system topic at most, which may have any name.
find_topic() {
  local list=(eventgrid system-topic list --subscription "$topic_subscription" --query '[].[source, id]')
  topic_id=/subscriptions/$topic_subscription/resourceGroups/$topic_group/providers/Microsoft.EventGrid/systemTopics/$topic_name
  if [ -n "$dry_run" ]; then
    azure "${list[@]}" --output tsv
  elif quietly "${list[@]}"; then
    value=$(printf '%s\n' "$value" | awk -F '\t' -v source="$acs_id" 'tolower($1) == tolower(source) { print $2 }')
    topic_id=${value:-$topic_id}
  fi
}

subscribe() {
  local principal secret=none schema_name=CloudEventSchemaV1_0 event_subscription_id
  if [ "$schema" = eventgrid ]; then schema_name=EventGridSchema; fi
  if [ -n "$provider" ] && [ "$provider" != acs ]; then
    die "$provider needs no Event Grid: it brings its reports itself" "docs/delivery-reports.md says how it is told to"
  fi
  if [ -z "$dry_run" ]; then check_tools curl; fi
  check_hook
  ask "asking for the document secrets" "run create first; you need Key Vault Secrets Officer or User on $vault_name" \
    SECRETS \
    keyvault secret show --subscription "$subscription" --vault-name "$vault_name" --name secrets --query value
  if [ -z "$dry_run" ]; then secret=$(reports_secret_of "$value"); fi
  case "$secret" in
    '') die "the document secrets has no reports.secret that can be read here" \
      'write it as a line secret = "…" below [reports], without escapes' ;;
    *[\"\\]* | *[[:cntrl:]]*) die "reports.secret has a quote, a backslash or a control character" \
      "make one with openssl rand -base64 32" ;;
  esac
  find_topic
  if ! resource_there "system topic ${topic_id##*/}" "$topic_id" $SUBSCRIPTION_API; then
    run "system topic $topic_name: making it" "see what az says" \
      eventgrid system-topic create --subscription "$topic_subscription" --resource-group "$topic_group" \
      --name "$topic_name" --location global --topic-type Microsoft.Communication.CommunicationServices \
      --source "$acs_id" --mi-system-assigned
  fi
  ask "asking for the topic's object id" \
    "az eventgrid system-topic update --resource-group $topic_group --name ${topic_id##*/} --mi-system-assigned" PRINCIPAL \
    resource show --ids "$topic_id" --api-version $SUBSCRIPTION_API --query identity.principalId
  principal=$value
  role "system topic ${topic_id##*/}" "$principal" ServicePrincipal "Storage Blob Data Contributor" "$container_id"
  # az's own command would have the secret among its arguments: hence the JSON.
  local before after
  before="{\"properties\":{\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{\"endpointUrl\":\"$hook/api/delivery-reports\",\"maxEventsPerBatch\":1,\"preferredBatchSizeInKilobytes\":64,\"deliveryAttributeMappings\":[{\"name\":\"x-report-secret\",\"type\":\"Static\",\"properties\":{\"value\":\""
  after="\",\"isSecret\":true}}]}},\"filter\":{\"includedEventTypes\":[\"Microsoft.Communication.SMSDeliveryReportReceived\",\"Microsoft.Communication.SMSReceived\"]},\"eventDeliverySchema\":\"$schema_name\",\"retryPolicy\":{\"maxDeliveryAttempts\":30,\"eventTimeToLiveInMinutes\":1440},\"deadLetterWithResourceIdentity\":{\"identity\":{\"type\":\"SystemAssigned\"},\"deadLetterDestination\":{\"endpointType\":\"StorageBlob\",\"properties\":{\"resourceId\":\"$storage_id\",\"blobContainerName\":\"$container_name\"}}}}}"
  event_subscription_id=$topic_id/eventSubscriptions/$event_subscription_name
  put "event subscription $event_subscription_name: making it; Event Grid calls the hook now" \
    "the hook must have this reports.secret: look at its log for the handshake" \
    "$event_subscription_id" $SUBSCRIPTION_API "$before$secret$after" "$before\$REPORTS_SECRET$after" 300
  if [ -n "$dry_run" ]; then return; fi
  cat <<DONE
Done. Send a message, and look at $hook/api/deliveries. That page is not public on AKS; there
  kubectl --namespace okta-telephony port-forward service/okta-telephony 3000:80
and look at http://127.0.0.1:3000/api/deliveries.
DONE
}

# Takes a resource away, if it is there.
remove() { # what, id, API version, az's arguments
  local what=$1 id=$2 version=$3
  shift 3
  if [ -n "$dry_run" ]; then
    show az "$@"
    return
  fi
  azure resource show --ids "$id" --api-version "$version" --output none 2>/dev/null || return 0
  run "$what: deleting it" "see what az says, then run this again" "$@"
}

# Takes away the roles that az lists with these arguments.
remove_roles() { # whose, az's arguments
  local whose=$1 ids
  shift
  if [ -n "$dry_run" ]; then
    show az role assignment list --subscription "$subscription" "$@" --fill-principal-name false --output tsv
    show az role assignment delete --ids IDS
    return
  fi
  ids=$(azure role assignment list --subscription "$subscription" "$@" --fill-principal-name false --output tsv) ||
    die "looking for the roles of $whose: az failed, and has said why above" "az login"
  [ -n "$ids" ] || return 0
  # One id has no blanks in it.
  # shellcheck disable=SC2086
  run "the roles of $whose: taking them away" "you need the right to give roles there" role assignment delete --ids $ids
}

remove_roles_of() { # whose, its id, API version, where its object id is
  value=PRINCIPAL
  [ -n "$dry_run" ] || quietly resource show --ids "$2" --api-version "$3" --query "$4" || return 0
  [ -n "$value" ] || return 0
  remove_roles "$1" --all --assignee-object-id "$value" --query '[].id'
}

remove_roles_on() { # what, its id, API version
  [ -n "$dry_run" ] || quietly resource show --ids "$2" --api-version "$3" --query id || return 0
  remove_roles "those who use $1" --scope "$2" --query "[?scope=='$2'].id"
}

# Says what goes and what stays, and asks.
confirm() {
  local there answer
  there=$(azure resource list --subscription "$subscription" --resource-group "$group" --query '[].id' --output tsv) ||
    die "listing the group $group: az failed, and has said why above" "if it is not there, all of it is gone"
  say "This deletes, for ever:"
  if [ -n "$whole_group" ]; then
    say "  the resource group $group, which create made, with all that is in it:"
    printf '%s\n' "$there" | sed 's/^/    /'
  else
    printf '%s\n' "$there" | awk -v mine=" $(ours) " 'index(tolower(mine), " " tolower($0) " ") { print "  " $0 }'
    say "and leaves in the group $group, which was there before:"
    printf '%s\n' "$there" | awk -v mine=" $(ours) " '!index(tolower(mine), " " tolower($0) " ") { print "  " $0 }'
  fi
  say "
Before this, deactivate the hook in Okta: scripts/okta-hook.sh deactivate ID --send. Secrets, telemetry and records are lost,
and numbers of an ACS resource that create made."
  if [ -n "$yes" ]; then return; fi
  if ! [ -t 0 ]; then
    printf 'provision.sh: nothing was deleted, since nobody can be asked\n  fix: say --yes\n' >&2
    exit 2
  fi
  printf '\nWrite the name of the group to delete it: ' >&2
  IFS= read -r answer || true
  [ "$answer" = "$group" ] || die "nothing was deleted: that is not $group"
}

# What create and subscribe make in the group.
ours() {
  printf '%s ' "$topic_id" "$vault_id" "$workspace_id" "$insights_id" "$storage_id" "$redis_id" "$identity_id" \
    "$dns_identity_id" "$registry_id"
  [ -n "$aks" ] || printf '%s ' "$cluster_id"
  [ -n "$acs_resource" ] || printf '%s ' "$acs_id"
  if [ -n "$zone" ] && [ -z "$zone_group" ]; then printf '%s ' "$zone_id"; fi
}

destroy() {
  local whole_group='' topic
  if [ -z "$dry_run" ]; then
    check_tools
    check_account
  fi
  find_topic
  topic=${topic_id##*/}
  if [ -z "$dry_run" ]; then
    if ! quietly group show --subscription "$subscription" --name "$group" --query '[[name, tags."made-by"]]'; then
      say "There is no group $group, so nothing is there."
      tell_of_vault
      return
    fi
    [[ "$value" != *$'\t'"${made_here#*=}" ]] || whole_group=1
    confirm
  fi
  remove "event subscription $event_subscription_name" "$topic_id/eventSubscriptions/$event_subscription_name" \
    $SUBSCRIPTION_API eventgrid system-topic event-subscription delete --subscription "$topic_subscription" \
    --resource-group "$topic_group" --system-topic-name "$topic" --name "$event_subscription_name" --yes
  # First the roles: those of an identity that is gone stay for ever, as "Identity not found".
  remove_roles_of "$identity_name" "$identity_id" $IDENTITY_API properties.principalId
  remove_roles_of "$dns_identity_name" "$dns_identity_id" $IDENTITY_API properties.principalId
  remove_roles_on "the registry" "$registry_id" $REGISTRY_API
  remove_roles_on "the dead letters" "$container_id" $STORAGE_API
  # One of another name was there before.
  if [ "$topic" = "$topic_name" ]; then
    remove "system topic $topic" "$topic_id" $SUBSCRIPTION_API eventgrid system-topic delete \
      --subscription "$topic_subscription" --resource-group "$topic_group" --name "$topic" --yes
  fi
  if [ -z "$aks" ]; then
    remove "AKS cluster $cluster_name" "$cluster_id" $AKS_API \
      aks delete --subscription "$subscription" --resource-group "$group" --name "$cluster_name" --yes
  fi
  # With its federated credentials.
  remove "managed identity $identity_name" "$identity_id" $IDENTITY_API \
    identity delete --subscription "$subscription" --resource-group "$group" --name "$identity_name"
  remove "managed identity $dns_identity_name" "$dns_identity_id" $IDENTITY_API \
    identity delete --subscription "$subscription" --resource-group "$group" --name "$dns_identity_name"
  remove "Azure Managed Redis $redis_name" "$redis_id" $REDIS_API resource delete --ids "$redis_id" --api-version $REDIS_API
  remove "container registry $registry_name" "$registry_id" $REGISTRY_API \
    acr delete --subscription "$subscription" --resource-group "$group" --name "$registry_name" --yes
  remove "storage account $storage_name" "$storage_id" $STORAGE_API \
    storage account delete --subscription "$subscription" --resource-group "$group" --name "$storage_name" --yes
  remove "Application Insights $insights_name" "$insights_id" $INSIGHTS_API \
    resource delete --ids "$insights_id" --api-version $INSIGHTS_API
  # --force: Azure would keep it for 14 days, with what people's telemetry is in it.
  remove "Log Analytics workspace $workspace_name" "$workspace_id" $WORKSPACE_API \
    monitor log-analytics workspace delete --subscription "$subscription" --resource-group "$group" \
    --workspace-name "$workspace_name" --force true --yes
  if [ -z "$acs_resource" ]; then
    remove "ACS resource $acs_name" "$acs_id" $ACS_API resource delete --ids "$acs_id" --api-version $ACS_API
  fi
  if [ -n "$zone" ] && [ -z "$zone_group" ]; then
    remove "DNS zone $zone" "$zone_id" $ZONE_API \
      network dns zone delete --subscription "$subscription" --resource-group "$group" --name "$zone" --yes
  fi
  # The vault after those that read it, and the roles on it just before, so that a run that was stopped can go on.
  remove_roles_on "the vault" "$vault_id" $VAULT_API
  remove "Key Vault $vault_name" "$vault_id" $VAULT_API \
    keyvault delete --subscription "$subscription" --resource-group "$group" --name "$vault_name"
  if [ -n "$whole_group$dry_run" ]; then
    [ -z "$dry_run" ] || say "# if create made the group:"
    run "resource group $group: deleting it" "see what az says, then run this again" \
      group delete --subscription "$subscription" --name "$group" --yes
  fi
  [ -n "$dry_run" ] || tell_of_vault
}

tell_of_vault() {
  quietly keyvault list-deleted --subscription "$subscription" --resource-type vault \
    --query "[?name=='$vault_name'].properties.scheduledPurgeDate" || value=''
  [ -n "$value" ] || return 0
  say "
What is left is the deleted Key Vault $vault_name. Purge protection keeps it until $value: until then nobody
can delete it for good, its name is taken, and it costs nothing. For a new start say another --name. To have it again:
  az keyvault recover --subscription $subscription --name $vault_name"
}

# In braces, so that bash has read all of it before it begins, whatever becomes of this file meanwhile.
{
  if [ -n "$dry_run" ]; then say "# nothing is run; what only Azure knows is in capitals"; fi
  case "$command" in
    plan) plan ;;
    create) create ;;
    names) names ;;
    settings) settings ;;
    okta-header) header_for_okta ;;
    subscribe) subscribe ;;
    destroy) destroy ;;
  esac
  exit
}
