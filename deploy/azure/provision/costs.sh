# What a month costs, by a table of prices that is kept here.
# shellcheck shell=bash
# The options and names are provision.sh's.
# shellcheck disable=SC2154

# List prices in US dollars, of the region East US 2, a month being 730 hours. Each is a meter of the Azure Retail Prices API
# (https://prices.azure.com/api/retail/prices) as others read it and published it, on the day in the last column. A ~ is a
# price of that API of which no day is known, or one that was not found for that region: check those first.
# Fields: what; name; how many; price of one a month; day.
costs() {
  local nodes=125.56
  if [ -z "$without_aks$aks" ]; then
    # 0.10 an hour, "Standard Uptime SLA".
    printf 'AKS control plane, Standard tier|%s|1|73.00|2026-10-03\n' "$cluster_name"
    # 0.086 an hour. In West Europe it is 0.104.
    nodes=62.78
    if [ "$node_size" != Standard_D2as_v5 ]; then nodes='?'; fi
    printf 'virtual machines %s|its nodes|3|%s|~\n' "$node_size" "$nodes"
    printf 'disks of 128 GiB, Premium SSD P10|its nodes|3|19.71|~\n'
    # 0.025 an hour for up to five rules, of the region Global.
    printf 'load balancer, Standard|its gateway|1|18.25|2026-10-01\n'
    printf 'public addresses|in and out|2|3.65|2026-10-03\n'
  fi
  if [ -z "$without_aks" ]; then
    # 0.6666 a day.
    printf 'Container Registry, Standard|%s|1|20.28|~\n' "$registry_name"
    if [ -z "$zone_group" ]; then printf 'DNS zone|%s|1|0.50|~\n' "$zone"; fi
  fi
  if [ -z "$without_redis" ]; then
    # 0.016 an hour for each of two nodes, which is what the replica makes.
    nodes=11.68
    if [ "$redis_sku" != Balanced_B0 ]; then nodes='?'; fi
    printf 'Managed Redis %s with a replica|%s|2|%s|2026-10-03\n' "$redis_sku" "$redis_name" "$nodes"
  fi
  # Four secrets, asked for every five minutes: 35,000 operations, 0.03 for 10,000.
  printf 'Key Vault, read by the cluster|%s|1|0.11|2026-10-03\n' "$vault_name"
  printf 'telemetry, for each GB|%s|1|2.76|2026-10-03\n' "$workspace_name"
  if [ "$provider" = acs ]; then printf 'storage and Event Grid|%s|1|0.10|~\n' "$storage_name"; fi
}

show_costs() {
  costs | awk -F '|' '
    BEGIN { printf "%-44s %-26s %10s  %s\n", "", "", "USD/month", "price of" }
    {
      unknown = $4 == "?"
      amount = unknown ? "?" : sprintf("%.2f", $3 * $4)
      if (unknown) missing = 1; else sum += $3 * $4
      printf "%-44s %-26s %10s  %s\n", ($3 > 1 ? $3 " " : "") $1, $2, amount, $5
    }
    END { printf "%-44s %-26s %10.2f%s\n", "sum", "", sum, missing ? "  and what has a ?" : "" }'
  cat <<'SAID'

Messages and the rent of senders come on top, and are mostly more than all of this: docs/providers.md.
The prices are list prices of East US 2 by the Azure Retail Prices API, as others published them on that day; ~ is a price without
a day, so check it first. Other regions cost up to a fifth more: https://azure.microsoft.com/pricing/calculator/
SAID
}
