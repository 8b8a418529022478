#!/bin/bash
# Reads the server's secret, which begins as a new administrator's password, into /run/clusterlab/secret.env.
#
# The secret is lines `NAME=value`: ADMIN_PASSWORD, and what else the units shall have, such as CLUSTERLAB_NOTIFY.
set -euo pipefail
umask 077
export PATH="/opt/clusterlab/.venv/sky/bin:$PATH"
file="${SECRET_FILE:-/run/clusterlab/secret.env}"

read_secret() {
  aws secretsmanager get-secret-value --secret-id "$SECRET_ARN" --query SecretString --output text
}

# Nothing is written where reading failed for another reason than that there is none yet.
if ! secret="$(read_secret 2>"$file.fault")"; then
  grep -q ResourceNotFoundException "$file.fault" || { cat "$file.fault" >&2; exit 1; }
  printf 'ADMIN_PASSWORD=%s\n' "$(openssl rand -hex 24)" > "$file.new"
  aws secretsmanager put-secret-value --secret-id "$SECRET_ARN" --secret-string "file://$file.new" > /dev/null
  rm "$file.new"
  secret="$(read_secret)"
fi
rm -f "$file.fault"

password="$(sed -n 's/^ADMIN_PASSWORD=//p' <<< "$secret")"
[ -n "$password" ] || { echo "$SECRET_ARN: ADMIN_PASSWORD: missing; allowed: a line ADMIN_PASSWORD=..." >&2; exit 1; }
{
  # SkyPilot keeps and compares the password's hash.
  printf "SKYPILOT_INITIAL_BASIC_AUTH='admin:%s'\n" "$(openssl passwd -6 -stdin <<< "$password")"
  grep -v '^ADMIN_PASSWORD=' <<< "$secret" || true
  ! grep -q '^CLUSTERLAB_NOTIFY=' <<< "$secret" || echo 'NOTIFY=--notify env:CLUSTERLAB_NOTIFY'
} > "$file"
# systemd reads it for the services, which get its values and not the file.
