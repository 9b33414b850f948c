# What can be known before anything is made. Each trouble is told with its fix, and all of them in one run.
# shellcheck shell=bash
# The options and names are provision.sh's, which reads $tenant.
# shellcheck disable=SC2034,SC2154

troubles=''
trouble() { # what, fix
  troubles+="  $1"$'\n'"    fix: $2"$'\n'
}

# Sets $value to what az says, or fails without a word.
quietly() { value=$(azure "$@" --output tsv 2>/dev/null); }

end_if_troubled() {
  [ -n "$troubles" ] || return 0
  printf 'provision.sh: nothing was made, since:\n%s' "$troubles" >&2
  exit 1
}

# Whether version $1 is at least $2, of numbers and dots.
at_least() {
  awk -v have="$1" -v want="$2" 'BEGIN {
    split(have, h, "."); n = split(want, w, ".")
    for (i = 1; i <= n; i++) if (h[i] + 0 != w[i] + 0) exit !(h[i] + 0 > w[i] + 0)
  }'
}

check_tools() {
  local tool
  for tool in az "$@"; do
    command -v "$tool" >/dev/null || trouble "$tool is not installed" "install it and run this again"
  done
  end_if_troubled
}

# Sets $tenant.
check_account() {
  local state kind
  quietly version --query '"azure-cli"' || value=0
  at_least "$value" "$AZ_VERSION" || trouble "az is $value" "az upgrade: AKS's Gateway API needs $AZ_VERSION or later"
  if ! quietly account show --subscription "$subscription" --query '[[state, tenantId, user.type]]'; then
    trouble "az is not signed in to subscription $subscription" \
      "az login, or az login --tenant ITS-TENANT; az account list --output table shows those that you have"
    end_if_troubled
  fi
  IFS=$'\t' read -r state tenant kind <<<"$value"
  [ "$state" = Enabled ] || trouble "subscription $subscription is $state" "have its owner enable it, or take another one"
  if [ "$kind" != user ] && [ -z "$officer" ]; then
    trouble "az is signed in as a $kind, which is not asked for its object id" \
      "name who writes the secrets: --officer OBJECT_ID --officer-type ServicePrincipal"
  fi
  end_if_troubled
}

# Whether one of the lines of a permission, "ACTIONS<tab>NOT-ACTIONS", allows $1. Letters count in any case.
allowed() { # action
  printf '%s\n' "$value" | awk -F '\t' -v action="$1" '
    function holds(patterns, n, list, i, form) {
      n = split(patterns, list, " ")
      for (i = 1; i <= n; i++) {
        form = list[i]
        gsub(/\./, "[.]", form)
        gsub(/\*/, ".*", form)
        if (tolower(action) ~ "^" tolower(form) "$") return 1
      }
      return 0
    }
    holds($1) && !holds($2) { found = 1 }
    END { exit !found }'
}

# What whoever is signed in may do, as Azure itself says, so by whatever role.
check_rights() {
  local scope=$root action
  quietly group show --subscription "$subscription" --name "$group" --query id || scope=/subscriptions/$subscription
  if ! quietly rest --method get --url "$scope/providers/Microsoft.Authorization/permissions?api-version=2022-04-01" \
    --query "value[].[join(' ', actions), join(' ', notActions)]"; then
    trouble "your permissions on $scope can't be read" "you need a role there: Contributor and User Access Administrator"
    return
  fi
  for action in Microsoft.Resources/deployments/write Microsoft.KeyVault/vaults/write; do
    allowed "$action" || {
      trouble "you may not make resources in $scope ($action)" "have the role Contributor there, or Owner"
      break
    }
  done
  allowed Microsoft.Authorization/roleAssignments/write ||
    trouble "you may not give roles in $scope" \
      "have the role Owner, User Access Administrator or Role Based Access Control Administrator there"
}

registered() { # namespace
  quietly provider show --subscription "$subscription" --namespace "$1" --query registrationState &&
    [ "$value" = Registered ]
}

# Whether the region has a type of resource.
check_region() { # namespace, type, fix
  quietly provider show --subscription "$subscription" --namespace "$1" \
    --query "resourceTypes[?resourceType=='$2'].locations[]" || return 0
  printf '%s\n' "$value" | tr -d ' ' | tr '[:upper:]' '[:lower:]' | awk -v wanted="$location" '
    $0 == wanted { found = 1 }
    END { exit !found }' || trouble "the region $location has no $1/$2" "$3"
}

# Whether a name that must be nobody else's in all of Azure is free, unless the resource is there already.
check_name() { # what, its id, its API version, az's arguments
  local what=$1 id=$2 version=$3
  shift 3
  quietly resource show --ids "$id" --api-version "$version" --query id && return
  quietly "$@" --query nameAvailable || return 0
  case "$value" in [Tt]rue) return ;; esac
  trouble "the name $what is taken" "say another --name"
}

# Whether AKS takes the Kubernetes version for a new cluster: with its usual support, not as a preview.
check_kubernetes() {
  quietly aks get-versions --subscription "$subscription" --location "$location" \
    --query "values[?isPreview!=\`true\` && contains(not_null(capabilities.supportPlan, \`[]\`), 'KubernetesOfficial')].version" ||
    return 0
  listed "$KUBERNETES_VERSION" "$value" ||
    trouble "AKS in $location has no Kubernetes $KUBERNETES_VERSION for a new cluster (it has: ${value//$'\n'/, })" \
      "another --location, a newer release of the hook, or a cluster of yours with --aks: docs/upgrade.md#versions"
}

# The size of the nodes: offered, in three zones, and within the quota.
check_nodes() {
  local family cores zones restriction used limit
  quietly vm list-skus --subscription "$subscription" --location "$location" --size "$node_size" \
    --resource-type virtualMachines \
    --query "[?name=='$node_size'].[family, capabilities[?name=='vCPUs'].value | [0], join(' ', sort(not_null(locationInfo[0].zones, \`[]\`))), join(' ', restrictions[].reasonCode)]" ||
    return 0
  IFS='|' read -r family cores zones restriction <<<"$(printf %s "$value" | tr '\t' '|')"
  if [ -z "$family" ]; then
    trouble "the region $location has no virtual machines $node_size" "another --node-size, or another --location"
    return
  fi
  if [ "$zones" != '1 2 3' ] || [ -n "$restriction" ]; then
    trouble "$node_size can't be had in three zones of $location: zones ${zones:-none}${restriction:+, $restriction}" \
      "another --node-size, or another --location"
  fi
  quietly vm list-usage --subscription "$subscription" --location "$location" \
    --query "[?name.value=='$family'].[currentValue, limit]" || return 0
  IFS=$'\t' read -r used limit <<<"$value"
  # Three nodes, and one more while they are upgraded.
  if [ -n "$limit" ] && [ $((limit - used)) -lt $((cores * 4)) ]; then
    trouble "the quota of $family in $location is $limit cores, of which $used are used: $((cores * 4)) more are needed" \
      "ask for more in the portal, Subscriptions > Usage + quotas, or take another --node-size"
  fi
}

check_what_is_yours() {
  if [ -n "$acs_resource" ]; then
    quietly resource show --ids "$acs_resource" --api-version "$ACS_API" --query id ||
      trouble "there is no $acs_resource, or you may not see it" \
        "az resource list --resource-type Microsoft.Communication/communicationServices --query '[].id' --output tsv"
  fi
  if [ -n "$aks" ]; then
    if ! quietly aks show --subscription "$subscription" --resource-group "$cluster_group" --name "$aks" \
      --query '[[oidcIssuerProfile.enabled, securityProfile.workloadIdentity.enabled]]'; then
      trouble "there is no AKS cluster $aks in $cluster_group" "leave --aks out, and create makes one"
    elif [ "$(printf %s "$value" | tr '[:upper:]' '[:lower:]')" != $'true\ttrue' ]; then
      trouble "the cluster $aks is without OIDC issuer or workload identity" \
        "az aks update --name $aks --resource-group $cluster_group --enable-oidc-issuer --enable-workload-identity"
    fi
  fi
  if [ -n "$zone_group" ]; then
    quietly network dns zone show --subscription "$subscription" --resource-group "$zone_group" --name "$zone" --query id ||
      trouble "there is no DNS zone $zone in $zone_group" "leave --zone-group out, and create makes it"
  fi
}

# What the document `secrets` needs, unless the vault has it: of a file that is there already, or of the owner.
check_secrets_document() {
  local field variable answer
  if quietly keyvault secret list --subscription "$subscription" --vault-name "$vault_name" --query '[].name' &&
    listed secrets "$value"; then
    return
  fi
  if [ -e "$secrets_file" ]; then
    # One of `spin up`, say, which has less.
    for field in reports $(secret_fields); do
      grep -Eq "^([^#]*[^#a-z_])?$field([^a-z_]|\$)" "$secrets_file" ||
        trouble "$secrets_file, which is here already, has no $field" "move it away, and create writes one; or add that"
    done
    return
  fi
  for field in $(secret_fields); do
    variable=$(secret_variable "$field")
    if [ -z "${!variable-}" ] && [ -t 0 ] && [ -t 2 ]; then
      printf '%s of %s, which is not shown: ' "$field" "$provider" >&2
      IFS= read -rs answer && printf '\n' >&2
      printf -v "$variable" %s "$answer"
    fi
    case "${!variable-}" in
      '') trouble "the document secrets needs the $field of $provider" \
        "set the environment variable $variable, or write $secrets_file as sample/secrets.toml shows" ;;
      *[\"\\]* | *[[:cntrl:]]*) trouble "$variable has a quote, a backslash or a line end in it" "take it out" ;;
    esac
  done
}

# All of it. Resource providers must be registered before some of it can be asked.
check_before_making() {
  local fix='another --location: az account list-locations --query "[].name"'
  if [ -z "$without_aks" ]; then
    if [ -z "$aks" ]; then
      check_region Microsoft.ContainerService managedClusters "$fix"
      if ! quietly resource show --ids "$cluster_id" --api-version "$AKS_API" --query id; then
        check_kubernetes
        check_nodes
      fi
    fi
    check_name "$registry_name" "$registry_id" "$REGISTRY_API" acr check-name --subscription "$subscription" --name "$registry_name"
  fi
  [ -n "$without_redis" ] || check_region Microsoft.Cache redisEnterprise "another --location, or --without-redis"
  if [ "$provider" = acs ]; then
    check_name "$storage_name" "$storage_id" "$STORAGE_API" \
      storage account check-name --subscription "$subscription" --name "$storage_name"
  fi
  if quietly keyvault list-deleted --subscription "$subscription" --resource-type vault \
    --query "[?name=='$vault_name'].name" && [ -n "$value" ]; then
    trouble "the Key Vault $vault_name was deleted, and its name is kept for 90 days" \
      "say another --name; or have it again: az keyvault recover --subscription $subscription --name $vault_name"
  else
    check_name "$vault_name" "$vault_id" "$VAULT_API" keyvault check-name --subscription "$subscription" --name "$vault_name"
  fi
  check_what_is_yours
  check_secrets_document
}
