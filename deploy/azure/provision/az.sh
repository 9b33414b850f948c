# How az is called: shown in a dry run, told with a fix when it fails, and asked before anything is made.
# shellcheck shell=bash
# $subscription, $dry_run and the like are provision.sh's.
# shellcheck disable=SC2154

show() { # the command as a person would type it
  # In variables, since bash 3.2 reads the quotes of a replacement otherwise.
  local word line='' quote="'" quoted="'\\''"
  for word in "$@"; do
    case "$word" in
      '' | *[!A-Za-z0-9_./:@=,%+-]*) line+=" '${word//$quote/$quoted}'" ;;
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
