#!/usr/bin/env bash
# Let this machine make sandboxes for code (jobs/agents/sandbox.py): bubblewrap, and leave to make namespaces. As root, or
# by sudo. Makefile, CI and images/node.sh call it; where all is there it changes nothing.
set -euo pipefail

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

if ! command -v bwrap >/dev/null; then
  as_root apt-get update -qq
  as_root apt-get install -y -qq --no-install-recommends bubblewrap
fi

# From 24.04 on Ubuntu lets programs make namespaces only by name.
restricted=/proc/sys/kernel/apparmor_restrict_unprivileged_userns
if [ "$(cat "$restricted" 2>/dev/null || echo 0)" != 0 ] && [ ! -e /etc/apparmor.d/bwrap ]; then
  as_root tee /etc/apparmor.d/bwrap >/dev/null <<'PROFILE'
abi <abi/4.0>,
include <tunables/global>

profile bwrap /usr/bin/bwrap flags=(unconfined) {
  userns,
}
PROFILE
  as_root apparmor_parser --replace /etc/apparmor.d/bwrap
fi
