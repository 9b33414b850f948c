# The options of provision.sh: what each is, which command takes it, and how they are read, checked and asked for.
# shellcheck shell=bash
# Each option is a variable of its name, set by printf -v, and read in the other files. $command is provision.sh's.
# shellcheck disable=SC2034,SC2154

# Sets $form, which the value must match whole, $must, which says so in words, and $help. Fails for what is no option. All
# values end up in resource ids or JSON, so nothing else may be in them.
about() { # option
  form='' must='' help=''
  case "$1" in
    subscription)
      form='[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}' must='the id of a subscription'
      help='the subscription, by its id: az account list --output table' ;;
    group)
      form='[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]' must='the name of a resource group'
      help='the resource group; create makes it' ;;
    location)
      form='[a-z0-9]+' must='the short name of a region, such as westeurope'
      help='the region: az account list-locations --query "[].name"' ;;
    provider)
      form='acs|infobip|telesign|twilio' must='acs, infobip, telesign or twilio'
      help='who sends the messages, acs, infobip, telesign or twilio: docs/providers.md
ACS ends on 2028-09-30, and since 2026-10-23 nobody new can sign up for it' ;;
    acs_resource)
      form="/subscriptions/[0-9a-fA-F-]{36}/resourceGroups/[A-Za-z0-9_().-]+/providers/Microsoft\.Communication/[cC]ommunicationServices/[A-Za-z0-9-]+"
      must='the resource id of Communication Services: az resource list --resource-type Microsoft.Communication/communicationServices --query "[].id"'
      help='the id of the ACS resource that you have; data_location makes one instead' ;;
    data_location)
      form='[A-Za-z][A-Za-z ]+' must='where ACS keeps its data, such as Europe'
      help="makes an ACS resource, which keeps its data there for ever: Europe, \"United States\", UK, ...
Microsoft gives a new resource no numbers: take acs_resource if you have one" ;;
    zone)
      form='([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}' must='a domain, such as sms.example.com'
      help='the DNS zone of the host, which create makes; the domain above delegates it' ;;
    zone_group)
      form='[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]' must='the name of a resource group'
      help='the resource group of a DNS zone that is there already; it is not made and not destroyed' ;;
    host)
      form='([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}' must='a host name, such as hook.sms.example.com'
      help='the public name of the hook, inside the zone' ;;
    email)
      form='[A-Za-z0-9.!#$%&*+/=?^_{|}~-]+@([A-Za-z0-9-]+\.)+[A-Za-z]{2,}' must='an e-mail address'
      help="the address of the account at Let's Encrypt" ;;
    okta_fallback)
      form='yes|no' must='yes or no'
      help="does Okta still send by a provider of its own what the hook could not? yes or no
Ask Okta's support, or try it: docs/okta.md#when-the-hook-says-failed. Until you know, say yes" ;;
    okta_user)
      form='[^:[:cntrl:]"\\]+' must='a user name without a colon'
      help='the user of the Basic credentials that Okta sends [okta]' ;;
    hook)
      form='https://[A-Za-z0-9.-]+(:[0-9]+)?' must='https://HOST, without a path: Event Grid calls https only'
      help='the public address of the hook, https://HOST [that of host]' ;;
    schema)
      form='cloudevents|eventgrid' must='cloudevents or eventgrid'
      help="the form of the delivery reports [cloudevents]. Event Grid's own handshake, which eventgrid has,
needs the secret, and Microsoft does not say that it has it" ;;
    name)
      form='[a-z][a-z0-9]{2,10}' must='3 to 11 small letters and digits, a letter first'
      help="the middle of all resources' names [oktasms]" ;;
    aks)
      form='[A-Za-z0-9][A-Za-z0-9_-]{0,61}[A-Za-z0-9]' must='the name of an AKS cluster'
      help='an AKS cluster that is there already, with OIDC issuer and workload identity; it is not made and not
destroyed' ;;
    aks_group)
      form='[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]' must='the name of a resource group'
      help='the resource group of that cluster [that of group]' ;;
    node_size)
      form='[A-Za-z0-9_]+' must='a size of virtual machines, such as Standard_D2as_v5'
      help='the size of the three nodes of the cluster that is made [Standard_D2as_v5]' ;;
    service_account)
      form='[a-z0-9-]+:[a-z0-9.-]+' must='NAMESPACE:NAME'
      help='the service account that reads the vault [okta-telephony:okta-telephony-secrets]' ;;
    officer)
      form='[0-9a-fA-F-]{36}' must="the object id of a user, group or service principal"
      help='who writes the secrets, by object id [whoever is signed in to az]' ;;
    officer_type)
      form='User|Group|ServicePrincipal' must='User, Group or ServicePrincipal'
      help='User, Group or ServicePrincipal [User]' ;;
    redis_sku)
      form='[A-Za-z0-9_]+' must='a SKU of Azure Managed Redis, such as Balanced_B0'
      help='the SKU of the Redis that is made [Balanced_B0]' ;;
    redis_network)
      form='[0-9]+(\.[0-9]+){3}/[0-9]+' must='ADDRESS/BITS, such as 10.224.0.0/12'
      help="where the pods reach Redis, as ADDRESS/BITS [its public address]. With private_redis, the network
of your private endpoint" ;;
    image)
      form='[a-z0-9./:-]+@sha256:[0-9a-f]{64}' must='NAME@sha256:DIGEST'
      help='the image, by its digest [the one that the registry has of this version]' ;;
    without_aks) form=yes help='no cluster, registry or DNS zone: for Spin elsewhere' ;;
    without_redis) form=yes help='no Redis: records stay in memory, or go to Cosmos DB' ;;
    private_redis) form=yes help='a Redis without a public endpoint: you bring the private one' ;;
    refresh_secrets) form=yes help='write the keys of ACS and Redis into the vault anew, after they changed' ;;
    no_check) form=yes help="don't ask the hook first whether it answers" ;;
    dry_run) form=yes help='print every command, and run none' ;;
    yes) form=yes help="don't ask before anything is deleted" ;;
    *) return 1 ;;
  esac
  must=${must:-yes, or left out}
}

# Sets $needed and $taken, the options of a command.
options_of() { # command
  local everything='name service_account officer officer_type'
  needed='subscription group' taken=name
  case "$1" in
    plan | create)
      needed+=' location provider'
      if [ -z "$without_aks" ]; then needed+=' zone host'; fi
      if [ "$provider" = acs ] && [ -z "$data_location" ]; then needed+=' acs_resource'; fi
      taken="acs_resource data_location zone host zone_group $everything aks aks_group node_size redis_sku private_redis"
      taken+=' without_aks without_redis'
      if [ "$1" = create ]; then taken+=' refresh_secrets dry_run'; fi ;;
    settings)
      needed+=' provider host zone email okta_fallback'
      taken='zone_group name redis_network without_redis image' ;;
    names) taken+=' aks' ;;
    okta-header) taken+=' host okta_user' ;;
    subscribe)
      if [ -z "$host" ]; then needed+=' hook'; fi
      taken='hook host acs_resource schema name no_check dry_run' ;;
    destroy) taken='zone zone_group name aks acs_resource officer yes dry_run' ;;
  esac
}

# Keeps what is wrong, so that one run says all of it.
complaints=''
complain() { complaints+="  $1"$'\n'; }

# --data-location in a command line, data_location in a file.
spelled() { printf -- '--%s' "${1//_/-}"; }

# Sets an option. $1: as it was written; $2: its value; $3: where.
set_option() {
  local option=${1//-/_}
  if ! about "$option"; then
    complain "$3: there is no option $1"
    return
  fi
  if [ "$option" = hook ]; then set -- "$1" "${2%/}" "$3"; fi
  # A flag that is said not to hold.
  if [ "$form" = yes ] && [ "$2" = no ]; then set -- "$1" '' "$3"; fi
  printf -v "$option" %s "$2"
}

# Lines of name=value, which a shell can source as well: blanks, # and quotes around a value are as there.
read_options() { # file
  local line option text number=0
  if ! [ -r "$1" ]; then
    complain "--options: $1 can't be read"
    return
  fi
  while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    line=${line%$'\r'}
    line=${line#"${line%%[![:space:]]*}"}
    case "$line" in '' | '#'*) continue ;; esac
    if [[ "$line" != [a-z]*=* ]]; then
      complain "$1:$number: this is no name=value"
      continue
    fi
    option=${line%%=*} text=${line#*=}
    case "$text" in
      \"*\"*) text=${text#\"} text=${text%%\"*} ;;
      \'*\'*) text=${text#\'} text=${text%%\'*} ;;
      *) text=${text%%[[:space:]]#*} text=${text%"${text##*[![:space:]]}"} ;;
    esac
    set_option "$option" "$text" "$1:$number"
  done <"$1"
}

# Reads a command line into the options. What it says goes before what a file says.
read_command_line() {
  local option text pair
  local -a said=()
  while [ "$#" -gt 0 ]; do
    option=${1%%=*}
    case "$1" in
      -h | --help) usage "$command" && exit 0 ;;
      --?*=*) text=${1#*=} ;;
      --?*)
        about "$(printf %s "${1#--}" | tr - _)" || true
        if [ "$form" = yes ]; then
          text=yes
        elif [ "$#" -gt 1 ] && [[ "$2" != --* ]]; then
          text=$2 && shift
        elif [ -n "$form" ] || [ "$1" = --options ]; then
          complain "$1 has no value" && shift && continue
        else
          text=''
        fi ;;
      *)
        complain "$1 is no option: write --NAME VALUE or --NAME=VALUE" && shift && continue ;;
    esac
    shift
    if [ "$option" = --options ]; then
      options_file=$text
      read_options "$text"
    else
      said+=("${option#--}=$text")
    fi
  done
  for pair in ${said[@]+"${said[@]}"}; do set_option "${pair%%=*}" "${pair#*=}" "--${pair%%=*}"; done
}

fits() { [[ "$1" =~ ^($form)$ ]]; } # value, after about

# Asks on the terminal until the answer fits.
ask_for() { # option
  local answer=''
  about "$1"
  printf '\n%s: %s\n' "$1" "$help" >&2
  while ! fits "$answer"; do
    [ -z "$answer" ] || printf 'It must be %s.\n' "$must" >&2
    printf '%s = ' "$1" >&2
    IFS= read -r answer || return 1
  done
  printf -v "$1" %s "$answer"
  asked+="$1=$answer"$'\n'
}

# Has all that the command needs, or ends with 2 and says all that is missing or wrong.
asked=''
need_options() {
  local option terminal=''
  if [ -t 0 ] && [ -t 2 ]; then terminal=1; fi
  for option in $all_options; do
    about "$option"
    if [ -n "${!option}" ] && ! fits "${!option}"; then
      complain "$(spelled "$option") is ${!option}: it must be $must"
    fi
  done
  options_of "$command"
  # A wrong command line is not mended by questions.
  if [ -z "$complaints" ] && [ -n "$terminal" ]; then
    # One answer can make another option needed.
    while :; do
      options_of "$command"
      for option in $needed ''; do
        [ -n "$option" ] || break 2
        if [ -z "${!option}" ]; then
          ask_for "$option" || break 2
          break
        fi
      done
    done
  fi
  for option in $needed; do
    about "$option"
    [ -n "${!option}" ] || complain "$(spelled "$option") is missing: ${help%%$'\n'*}"
  done
  check_together
  if [ -n "$complaints" ]; then
    printf 'provision.sh %s:\n%s  fix: provision.sh %s --help says what each is. --options FILE reads them from lines of name=value\n' \
      "$command" "$complaints" "$command" >&2
    exit 2
  fi
  if [ -n "$asked" ]; then
    printf '\nFor the next command, put these lines into a file and give it as --options FILE:\n\n%s\n' "$asked" >&2
  fi
}

# What only several options together can have wrong.
check_together() {
  if [ -n "$host" ] && [ -n "$zone" ] && [[ "$host" != *".$zone" ]]; then
    complain "--host is $host: it must be in the zone $zone, below it"
  fi
  case "$command" in plan | create) ;; *) return 0 ;; esac
  if [ -n "$aks" ] && [ -n "$without_aks" ]; then complain "--aks and --without-aks are both said: leave one out"; fi
  if [ -n "$aks_group" ] && [ -z "$aks" ]; then complain "--aks-group is said without --aks: name the cluster"; fi
  if [ -n "$acs_resource" ] && [ -n "$data_location" ]; then
    complain "--acs-resource and --data-location are both said: the first is for a resource that is there"
  fi
  if [ -n "$provider" ] && [ "$provider" != acs ] && [ -n "$acs_resource$data_location" ]; then
    complain "--provider is $provider: --acs-resource and --data-location are for acs"
  fi
}

# Lists an option as --help does.
list_option() {
  local line value=" $1"
  about "$1"
  if [ "$form" = yes ]; then value=''; else value=" $(printf %s "$1" | tr '[:lower:]' '[:upper:]')"; fi
  printf '  %s%s\n' "$(spelled "$1")" "$value"
  while IFS= read -r line; do printf '        %s\n' "$line"; done <<<"$help"
}
