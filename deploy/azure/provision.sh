#!/usr/bin/env bash
# Makes what the hook needs in Azure: README.md beside this file says what, and why.
#
# No secret is in an argument, where every user of the machine could read it: az reads them from standard
# input, and the document `secrets` from secrets.toml, which only its owner can read. What an extension of az
# would be needed for goes through `az rest`, so this needs none. Whatever is there already is left as it is,
# so a run that was stopped is simply repeated.
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: provision.sh create    --subscription ID --group GROUP --location REGION --data-location PLACE [options]
       provision.sh subscribe --subscription ID --group GROUP --hook https://HOST [options]

create     makes the resources, and the secrets in the Key Vault. Repeat it as often as you like.
           The document `secrets` it writes into secrets.toml first, in the folder that you are in; a
           secrets.toml that is there already goes into the vault as it is.
subscribe  has Event Grid bring delivery reports to the hook, once the hook is up. Repeat it when
           `reports.secret` has changed.

  --subscription ID     the subscription, by its id: az account list --output table
  --group GROUP         the resource group; create makes it
  --location REGION     where it all is, such as westeurope
  --data-location PLACE where ACS keeps its data: Europe, "United States", UK, ... It can't be changed
                        later, and decides which phone numbers can be had.
  --hook URL            the hook's public name, without a path
  --name NAME           beginning of the resources' names: 3 to 11 of a-z and 0-9 [oktasms]

  --aks CLUSTER         the AKS cluster whose pods may read the secrets; it needs the OIDC issuer and
                        workload identity. Without it, or --oidc-issuer, nobody may yet: run create again.
  --aks-group GROUP     its resource group [that of --group]
  --oidc-issuer URL     the cluster's issuer, instead of --aks
  --service-account NAMESPACE:NAME   the service account that reads the secrets
                        [okta-telephony:okta-telephony]; for another one besides, run create again

  --officer OBJECT_ID   who writes the secrets [whoever is signed in to az]
  --officer-type TYPE   User, Group or ServicePrincipal [User]
  --without-redis       no Redis: records stay in memory, or go to Cosmos DB
  --private-redis       Redis without a public endpoint: you bring the private one
  --redis-sku SKU       [Balanced_B0]; both are for when it is made, and change nothing of one that is there
  --refresh-secrets     write the keys of ACS and Redis into the vault anew, after they changed
  --no-check            subscribe: don't ask the hook first whether it is in order

  --dry-run             print every command, and run none
  --help                this
USAGE
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

command='' subscription='' group='' location='' data_location='' hook='' name=oktasms
aks='' aks_group='' issuer='' service_account=''
officer='' officer_type=User redis=1 private_redis='' redis_sku=''
refresh='' check=1 dry_run=''

case "${1:-}" in
  create | subscribe) command=$1 && shift ;;
  -h | --help) usage && exit 0 ;;
  '') usage >&2 && exit 2 ;;
  *) die "there is no command $1" "say create, subscribe or --help" ;;
esac
while [ "$#" -gt 0 ]; do
  case "$1" in
    --without-redis) redis='' && shift && continue ;;
    --private-redis) private_redis=1 && shift && continue ;;
    --refresh-secrets) refresh=1 && shift && continue ;;
    --no-check) check='' && shift && continue ;;
    --dry-run) dry_run=1 && shift && continue ;;
    -h | --help) usage && exit 0 ;;
  esac
  case "$1" in
    --subscription | --group | --location | --data-location | --hook | --name | --aks | --aks-group | \
      --oidc-issuer | --service-account | --officer | --officer-type | --redis-sku)
      [ -n "${2:-}" ] || die "$1 has no value" "write it after $1" ;;
    *) die "there is no option $1" "provision.sh --help lists them" ;;
  esac
  case "$1" in
    --subscription) subscription=$2 ;;
    --group) group=$2 ;;
    --location) location=$2 ;;
    --data-location) data_location=$2 ;;
    --hook) hook=${2%/} ;;
    --name) name=$2 ;;
    --aks) aks=$2 ;;
    --aks-group) aks_group=$2 ;;
    --oidc-issuer) issuer=$2 ;;
    --service-account) service_account=$2 ;;
    --officer) officer=$2 ;;
    --officer-type) officer_type=$2 ;;
    --redis-sku) redis_sku=$2 ;;
  esac
  shift 2
done

# All of these end up in resource ids or JSON, so nothing else may be in them.
holds() { # option, value, extended regular expression, what it must be
  [[ "$2" =~ ^($3)$ ]] || die "$1 is ${2:-missing}" "it must be $4"
}
holds --subscription "$subscription" '[0-9a-fA-F-]{36}' 'the id of a subscription: az account list --output table'
holds --group "$group" '[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]' 'the name of a resource group'
holds --name "$name" '[a-z][a-z0-9]{2,10}' '3 to 11 small letters and digits, a letter first'
if [ -n "$service_account" ]; then holds --service-account "$service_account" '[a-z0-9-]+:[a-z0-9.-]+' NAMESPACE:NAME; fi
holds --officer-type "$officer_type" 'User|Group|ServicePrincipal' 'User, Group or ServicePrincipal'
if [ -n "$redis_sku" ]; then
  holds --redis-sku "$redis_sku" '[A-Za-z0-9_]+' 'a SKU of Azure Managed Redis, such as Balanced_B0'
fi
if [ -n "$officer" ]; then holds --officer "$officer" '[0-9a-fA-F-]{36}' "somebody's object id"; fi
if [ -n "$issuer" ]; then holds --oidc-issuer "$issuer" 'https://[A-Za-z0-9./_-]+' 'an https URL'; fi
if [ "$command" = create ]; then
  holds --location "$location" '[a-z0-9]+' 'a region: az account list-locations --query "[].name"'
  holds --data-location "$data_location" '[A-Za-z][A-Za-z ]+' 'where ACS keeps its data, such as Europe'
  [ -z "$aks" ] || [ -z "$issuer" ] || die "both --aks and --oidc-issuer are given" "leave one out"
  [ -z "$service_account" ] || [ -n "$aks$issuer" ] || die "--service-account is given, and no cluster" \
    "say --aks or --oidc-issuer as well: a service account is one cluster's. Without a cluster leave it out"
  service_account=${service_account:-okta-telephony:okta-telephony}
else
  holds --hook "$hook" 'https://[A-Za-z0-9.-]+(:[0-9]+)?' 'https://HOST, without a path: Event Grid calls https only'
fi

if [ -z "$dry_run" ]; then
  for tool in az openssl; do
    command -v "$tool" >/dev/null || die "$tool is not installed" "install it and run this again"
  done
fi

# Some of the names must be nobody else's in all of Azure, and the same at each run.
suffix=$(printf %s "$subscription/$group/$name" | tr '[:upper:]' '[:lower:]' | cksum | cut -d' ' -f1)
suffix=$(printf '%08x' "$suffix")
suffix=${suffix:0:6}
readonly root=/subscriptions/$subscription/resourceGroups/$group
readonly providers=$root/providers
readonly acs_name=acs-$name-$suffix vault_name=kv-$name-$suffix storage_name=st$name$suffix
readonly redis_name=redis-$name-$suffix workspace_name=log-$name insights_name=appi-$name
readonly identity_name=id-$name-hook topic_name=egst-$name-reports event_subscription_name=okta-telephony
readonly secrets_file=secrets.toml
readonly acs_id=$providers/Microsoft.Communication/communicationServices/$acs_name
readonly vault_id=$providers/Microsoft.KeyVault/vaults/$vault_name
readonly workspace_id=$providers/Microsoft.OperationalInsights/workspaces/$workspace_name
readonly insights_id=$providers/Microsoft.Insights/components/$insights_name
readonly storage_id=$providers/Microsoft.Storage/storageAccounts/$storage_name
readonly container_name=dead-letters
readonly container_id=$storage_id/blobServices/default/containers/$container_name
readonly redis_id=$providers/Microsoft.Cache/redisEnterprise/$redis_name
readonly identity_id=$providers/Microsoft.ManagedIdentity/userAssignedIdentities/$identity_name
readonly topic_id=$providers/Microsoft.EventGrid/systemTopics/$topic_name
readonly event_subscription_id=$topic_id/eventSubscriptions/$event_subscription_name

show() { # the command as a person would type it
  local word line=''
  for word in "$@"; do
    case "$word" in
      '' | *[!A-Za-z0-9_./:@=,%+-]*) line+=" '${word//\'/\'\\\'\'}'" ;;
      *) line+=" $word" ;;
    esac
  done
  say "${line# }"
}

azure() { # as az, without its chatter; in a dry run it is only shown
  if [ -n "$dry_run" ]; then show az "$@"; else az "$@" --only-show-errors </dev/null; fi
}

# Runs az for its effect. $1: what for; $2: what to do if it fails.
run() {
  local what=$1 fix=$2
  shift 2
  [ -n "$dry_run" ] || say "$what"
  azure "$@" --output none || die "$what: az failed, and has said why above" "$fix"
}

# The same, with $3 on az's standard input. $4 is what a dry run shows of it.
run_with_input() {
  local what=$1 fix=$2 input=$3 shown=$4
  shift 4
  if [ -n "$dry_run" ]; then
    say "$shown | $(show az "$@" --output none)"
    return
  fi
  say "$what"
  # printf is the shell's own: what it prints is in no list of processes.
  printf %s "$input" | az "$@" --only-show-errors --output none ||
    die "$what: az failed, and has said why above" "$fix"
}

# Makes a resource by its JSON.
put() { # what, fix, id, API version, JSON, what a dry run shows of the JSON, seconds to wait
  local what=$1 fix=$2 id=$3 version=$4 body=$5 shown=${6:-$5} seconds=${7:-3600}
  run_with_input "$what" "$fix" "$body" "printf %s '$shown'" \
    rest --method put --url "$id?api-version=$version" --headers Content-Type=application/json --body @-
  wait_for "$fix" "$id" "$version" "$seconds"
}

# Sets $value to what az says. $3 stands for it in a dry run.
value=''
ask() { # what, fix, stand-in, az's arguments
  local what=$1 fix=$2 shown=$3
  shift 3
  if [ -n "$dry_run" ]; then
    azure "$@" --output tsv
    value=$shown
    return
  fi
  value=$(azure "$@" --output tsv) || die "$what: az failed, and has said why above" "$fix"
  [ -n "$value" ] || die "$what: az said nothing" "$fix"
}

# Waits until a resource is made, for an hour at most. az ends its own wait with 0 too where the time is over, where
# the resource is not there, and knows of the states that never end only Failed. So it is asked for the state.
wait_for() { # fix, id, API version, seconds
  local seconds=${4:-3600}
  run "  waiting until it is made" "$1" \
    resource wait --ids "$2" --api-version "$3" --created --interval 10 --timeout "$seconds"
  ask "  asking whether it is made" "$1" Succeeded \
    resource show --ids "$2" --api-version "$3" --query properties.provisioningState
  case "$value" in
    [Ss]ucceeded) ;;
    *ing) die "${2##*/} is still $value after $seconds seconds" "run this again: it goes on from there" ;;
    *) die "${2##*/} is $value, not Succeeded" "$1" ;;
  esac
}

# Whether something is there. az ends with 3 where it is not; anything else is trouble.
there() { # what, az's arguments
  local what=$1 code=0 said
  shift
  if [ -n "$dry_run" ]; then
    say "# unless this finds it:"
    show az "$@" --output none
    return 1
  fi
  said=$(azure "$@" --output none 2>&1) || code=$?
  case "$code" in
    0) say "$what is there" && return 0 ;;
    3) return 1 ;;
  esac
  printf '%s\n' "$said" >&2
  die "looking for $what: az failed, and has said why above" \
    "az login, and a role on the resource group that may read it"
}

resource_there() { there "$1" resource show --ids "$2" --api-version "$3"; }

# Whether it is there and done: what a run that was stopped has begun may still be in the making.
made() { # what, id, API version
  resource_there "$@" || return 1
  wait_for "if it has failed, delete it: az resource delete --ids $2, then run this again" "$2" "$3"
}

# Gives a role, unless it is given.
role() { # who, principal, type, role, scope
  local who=$1 principal=$2 type=$3 role=$4 scope=$5 given
  if [ -n "$dry_run" ]; then
    say "# unless this finds it:"
    show az role assignment list --subscription "$subscription" --assignee-object-id "$principal" \
      --role "$role" --scope "$scope" --fill-principal-name false --query '[].id' --output tsv
  else
    given=$(azure role assignment list --subscription "$subscription" --assignee-object-id "$principal" \
      --role "$role" --scope "$scope" --fill-principal-name false --query '[].id' --output tsv) ||
      die "looking for the role $role: az failed, and has said why above" "az login"
    if [ -n "$given" ]; then
      say "$who: has the role $role"
      return
    fi
  fi
  run "$who: giving the role $role" \
    "you need Owner, User Access Administrator or Role Based Access Control Administrator on the group" \
    role assignment create --subscription "$subscription" --assignee-object-id "$principal" \
    --assignee-principal-type "$type" --role "$role" --scope "$scope"
}

# By the list of names: az does not tell a secret that is missing from other trouble, and fetches no value.
secrets=''
secret_there() {
  if [ -n "$dry_run" ]; then
    say "# unless $1 is in the list:"
    return 1
  fi
  [[ $'\n'"$secrets"$'\n' == *$'\n'"$1"$'\n'* ]] || return 1
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
  local insights=$1 operator reports store
  if [ -e "$secrets_file" ]; then
    say "$secrets_file is there: it is taken as it is"
    return
  fi
  new_secret && operator=$random
  new_secret && reports=$random
  new_secret && store=$random
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
  if [ -n "$refresh" ]; then return 0; fi
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

register_providers() {
  local namespace state
  for namespace in "$@"; do
    if [ -n "$dry_run" ]; then
      say "# unless this says Registered:"
      azure provider show --subscription "$subscription" --namespace "$namespace" --query registrationState --output tsv
    else
      state=$(azure provider show --subscription "$subscription" --namespace "$namespace" \
        --query registrationState --output tsv) ||
        die "looking at the resource provider $namespace: az failed, and has said why above" \
          "az login, and check --subscription"
      [ "$state" = Registered ] && continue
    fi
    run "resource provider $namespace: registering it" \
      "somebody with Contributor on the subscription must register it" \
      provider register --subscription "$subscription" --namespace "$namespace" --wait
  done
}

make_group() {
  there "resource group $group" group show --subscription "$subscription" --name "$group" && return
  run "resource group $group: making it" "you need Contributor on the subscription, or the group made for you" \
    group create --subscription "$subscription" --name "$group" --location "$location"
}

make_acs() {
  made "ACS resource $acs_name" "$acs_id" $ACS_API && return
  put "ACS resource $acs_name: making it" "az account list-locations; the data location can be what the portal offers" \
    "$acs_id" $ACS_API "{\"location\":\"global\",\"properties\":{\"dataLocation\":\"$data_location\"}}"
}

make_vault() {
  resource_there "Key Vault $vault_name" "$vault_id" 2023-07-01 && return
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
  if ! resource_there "Log Analytics workspace $workspace_name" "$workspace_id" 2023-09-01; then
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
  if [ -n "$redis_sku" ]; then
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
      "{\"location\":\"$location\",\"sku\":{\"name\":\"${redis_sku:-Balanced_B0}\"},\"properties\":{\"minimumTlsVersion\":\"1.2\",\"highAvailability\":\"Enabled\",\"publicNetworkAccess\":\"$network\"}}"
  fi
  # NoCluster: Spin's client does not follow a cluster. Encrypted: there is no port without TLS. Access keys:
  # Spin's Redis store has one URL, so a password that does not expire after an hour.
  made "its database" "$redis_id/databases/default" $REDIS_API && return
  put "its database: making it" "see what az says" "$redis_id/databases/default" $REDIS_API \
    '{"properties":{"clientProtocol":"Encrypted","port":10000,"clusteringPolicy":"NoCluster","evictionPolicy":"NoEviction","accessKeysAuthentication":"Enabled"}}'
}

make_dead_letters() {
  if ! resource_there "storage account $storage_name" "$storage_id" 2023-05-01; then
    run "storage account $storage_name: making it" "another --name, if that one is taken" \
      storage account create --subscription "$subscription" --resource-group "$group" --name "$storage_name" \
      --location "$location" --sku Standard_LRS --kind StorageV2 --https-only true --min-tls-version TLS1_2 \
      --allow-blob-public-access false --allow-shared-key-access false
  fi
  if ! resource_there "container $container_name" "$container_id" 2023-05-01; then
    run "container $container_name: making it" "see what az says" \
      storage container-rm create --subscription "$subscription" --resource-group "$group" \
      --storage-account "$storage_name" --name "$container_name"
  fi
  # There are phone numbers in them.
  resource_there "rule that deletes dead letters" "$storage_id/managementPolicies/default" 2023-05-01 && return
  local rule='{"rules":[{"name":"dead-letters","enabled":true,"type":"Lifecycle","definition":{"filters":{"blobTypes":["blockBlob"],"prefixMatch":["dead-letters/"]},"actions":{"baseBlob":{"delete":{"daysAfterModificationGreaterThan":30}}}}}]}'
  run_with_input "rule that deletes dead letters after 30 days: making it" "see what az says" \
    "$rule" "printf %s '$rule'" \
    storage account management-policy create --subscription "$subscription" --resource-group "$group" \
    --account-name "$storage_name" --policy @-
}

make_identity() {
  local principal
  if ! resource_there "managed identity $identity_name" "$identity_id" 2023-01-31; then
    run "managed identity $identity_name: making it" "see what az says" \
      identity create --subscription "$subscription" --resource-group "$group" --name "$identity_name" \
      --location "$location"
  fi
  ask "asking for the identity's object id" "run this again in a minute" PRINCIPAL \
    resource show --ids "$identity_id" --api-version 2023-01-31 --query properties.principalId
  principal=$value
  role "managed identity $identity_name" "$principal" ServicePrincipal "Key Vault Secrets User" "$vault_id"
}

let_cluster_in() {
  if [ -n "$aks" ]; then
    ask "asking for the cluster's OIDC issuer" \
      "make the cluster first, or leave --aks out and run this again with it; if it is there: az aks update --name $aks --resource-group ${aks_group:-$group} --enable-oidc-issuer --enable-workload-identity" \
      https://ISSUER \
      aks show --subscription "$subscription" --resource-group "${aks_group:-$group}" --name "$aks" \
      --query oidcIssuerProfile.issuerUrl
    issuer=$value
  fi
  if [ -z "$issuer" ]; then
    say "# no cluster may read the secrets yet: run create again with --aks or --oidc-issuer"
    return
  fi
  # az writes over one of that name, so a new cluster's issuer takes the place of the old one's.
  run "federated credential for ${service_account/:/\/}: making it" \
    "the identity can have 20; an issuer and a subject go together once" \
    identity federated-credential create --subscription "$subscription" --resource-group "$group" \
    --identity-name "$identity_name" --name "${service_account//[:.]/-}" --issuer "$issuer" \
    --subject "system:serviceaccount:$service_account" --audiences api://AzureADTokenExchange
}

write_secrets() {
  local host
  if ! secret_there okta-basic-secret; then
    if [ -z "$dry_run" ]; then new_secret; else random=none; fi
    set_secret okta-basic-secret "$random" "\$(openssl rand -base64 32)"
  fi
  if wanted acs-connection-string; then
    ask "asking for the ACS keys" "you need Contributor on $acs_name" CONNECTION_STRING \
      rest --method post --url "$acs_id/listKeys?api-version=$ACS_API" --query primaryConnectionString
    set_secret acs-connection-string "$value" "\$CONNECTION_STRING"
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
  [ -n "$redis" ] || return 0
  if wanted records-redis-url; then
    ask "asking for Redis' name" "see what az says" HOST \
      resource show --ids "$redis_id" --api-version $REDIS_API --query properties.hostName
    host=$value
    ask "asking for Redis' key" "you need Contributor on $redis_name" KEY \
      rest --method post --url "$redis_id/databases/default/listKeys?api-version=$REDIS_API" --query primaryKey
    set_secret records-redis-url "rediss://:$(percent_encoded "$value")@$host:10000" \
      "rediss://:\$KEY@\$HOST:10000"
  fi
}

tell() {
  local ingestion='' client='' kept='' reader='none yet: run create again with --aks or --oidc-issuer'
  if [ -n "$dry_run" ]; then return; fi
  ask "asking for Application Insights' connection string" "see what az says" '' \
    resource show --ids "$insights_id" --api-version $INSIGHTS_API --query properties.ConnectionString
  if [[ "$value" =~ IngestionEndpoint=(https://[^;/]+) ]]; then ingestion=${BASH_REMATCH[1]}; fi
  ask "asking for the identity's client id" "run this again in a minute" '' \
    resource show --ids "$identity_id" --api-version 2023-01-31 --query properties.clientId
  client=$value
  if [ -n "$issuer" ]; then reader=$service_account; fi
  if [ -e "$secrets_file" ]; then
    kept="
$secrets_file holds secrets. The vault has them, so it can go; to have it again:
  az keyvault secret download --vault-name $vault_name --name secrets --file $secrets_file
"
  fi
  cat <<DONE

Done. For the hook:
  outbound_host1             $ingestion
  Key Vault                  $vault_name
  identity's client id       $client
  service account            $reader

What Okta sends, without showing it here:
  az keyvault secret show --vault-name $vault_name --name okta-basic-secret --query value --output tsv
$kept
Next: a phone number or sender for $acs_name, in the portal; deploy the hook; then
  provision.sh subscribe --subscription $subscription --group $group --name $name --hook https://HOST
DONE
}

create() {
  local namespaces=(Microsoft.Communication Microsoft.KeyVault Microsoft.OperationalInsights
    Microsoft.Insights Microsoft.Storage Microsoft.EventGrid Microsoft.ManagedIdentity)
  [ -z "$redis" ] || namespaces+=(Microsoft.Cache)
  register_providers "${namespaces[@]}"
  make_group
  make_acs
  make_vault
  let_officer_write
  make_telemetry
  [ -z "$redis" ] || make_redis
  make_dead_letters
  make_identity
  # The cluster last: all else is done where it is not there yet.
  write_secrets
  let_cluster_in
  tell
}

# Event Grid calls the hook when the subscription is made, so a hook that is not in order shows here first.
check_hook() {
  local status
  [ -n "$check" ] || return 0
  if [ -n "$dry_run" ]; then
    show curl --silent --output /dev/null --write-out '%{http_code}' --max-time 10 "$hook/api/health"
    return
  fi
  command -v curl >/dev/null || die "curl is not installed" "install it, or say --no-check"
  status=$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 10 "$hook/api/health" </dev/null) ||
    status=${status:-000}
  case "$status" in
    200) ;;
    000) die "$hook/api/health can't be reached" "is the hook up, and its certificate one that the public trusts?" ;;
    30?) die "$hook/api/health redirects ($status)" "name the host that answers itself: neither Okta nor Event Grid follows" ;;
    503) die "the hook is not in order (503)" "look at /api/health/details, or its log" ;;
    *) die "$hook/api/health answers $status" "is that the hook? --no-check, where that page is not public" ;;
  esac
}

subscribe() {
  local principal secret=none
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
  if ! resource_there "system topic $topic_name" "$topic_id" $SUBSCRIPTION_API; then
    run "system topic $topic_name: making it" "an ACS resource has one: if it has another already, delete that" \
      eventgrid system-topic create --subscription "$subscription" --resource-group "$group" \
      --name "$topic_name" --location global --topic-type Microsoft.Communication.CommunicationServices \
      --source "$acs_id" --mi-system-assigned
  fi
  ask "asking for the topic's object id" \
    "az eventgrid system-topic update --resource-group $group --name $topic_name --mi-system-assigned" PRINCIPAL \
    resource show --ids "$topic_id" --api-version $SUBSCRIPTION_API --query identity.principalId
  principal=$value
  role "system topic $topic_name" "$principal" ServicePrincipal "Storage Blob Data Contributor" "$container_id"
  # az's own command would have the secret among its arguments: hence the JSON.
  local before after
  before="{\"properties\":{\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{\"endpointUrl\":\"$hook/api/delivery-reports\",\"maxEventsPerBatch\":1,\"preferredBatchSizeInKilobytes\":64,\"deliveryAttributeMappings\":[{\"name\":\"x-report-secret\",\"type\":\"Static\",\"properties\":{\"value\":\""
  after="\",\"isSecret\":true}}]}},\"filter\":{\"includedEventTypes\":[\"Microsoft.Communication.SMSDeliveryReportReceived\",\"Microsoft.Communication.SMSReceived\"]},\"eventDeliverySchema\":\"EventGridSchema\",\"retryPolicy\":{\"maxDeliveryAttempts\":30,\"eventTimeToLiveInMinutes\":1440},\"deadLetterWithResourceIdentity\":{\"identity\":{\"type\":\"SystemAssigned\"},\"deadLetterDestination\":{\"endpointType\":\"StorageBlob\",\"properties\":{\"resourceId\":\"$storage_id\",\"blobContainerName\":\"$container_name\"}}}}}"
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

# In braces, so that bash has read all of it before it begins, whatever becomes of this file meanwhile.
{
  if [ -n "$dry_run" ]; then say "# nothing is run; what only Azure knows is in capitals"; fi
  case "$command" in
    create) create ;;
    subscribe) subscribe ;;
  esac
  exit
}
