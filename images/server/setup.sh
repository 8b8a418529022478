#!/bin/bash
# Makes a machine that cloud-init began the course server: its disk, its database, its certificate and its services.
#
# It may run again: what is there stays.
set -euo pipefail
set -a
# shellcheck disable=SC1091  # infra/aws/server_setup.py writes it
. /etc/clusterlab/server.env
set +a
here=/opt/clusterlab/images/server
state=/var/lib/clusterlab
export PATH="/opt/clusterlab/.venv/sky/bin:$PATH"

data_volume() {
  # A volume's serial number is its id without the dash. It is attached after the machine has begun.
  local link="/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${DATA_VOLUME/-/}" tries=0
  until [ -e "$link" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 120 ] || { echo "$DATA_VOLUME: not attached after 10 minutes" >&2; exit 1; }
    sleep 5
  done
  # Never over what lies there: a disk that has a file system, or anything else, is no new one.
  blkid "$link" > /dev/null || mkfs.ext4 -q "$link"
  mkdir -p "$state"
  grep -q " $state " /etc/fstab || echo "$link $state ext4 defaults,nofail 0 2" >> /etc/fstab
  mountpoint -q "$state" || mount "$state"
}

accounts() {
  id clusterlab > /dev/null 2>&1 || useradd --system --home-dir "$state/home" --shell /usr/sbin/nologin clusterlab
  install -d -m 0755 "$state"
  install -d -m 0700 -o clusterlab -g clusterlab "$state/home"
  # The users' numbers may be others than on the machine before.
  chown -R clusterlab:clusterlab "$state/home"
}

database() {
  local version
  version="$(cat "$state/postgresql/PG_VERSION" 2> /dev/null || find /usr/lib/postgresql/* -maxdepth 0 -printf '%f\n' | sort -V | tail -1)"
  # A newer PostgreSQL cannot read it: docs/server.md has how it is moved.
  [ -d "/usr/lib/postgresql/$version" ] || { echo "PostgreSQL $version, which wrote the data, is not installed" >&2; exit 1; }
  ln -sfn "/usr/lib/postgresql/$version/bin" "$state/programs"
  if [ ! -e "$state/postgresql/PG_VERSION" ]; then
    install -d -m 0700 -o postgres -g postgres "$state/postgresql"
    # A user comes in by his name on the machine, through the socket: there is no password.
    (cd / && runuser -u postgres -- "$state/programs/initdb" --pgdata "$state/postgresql" --auth peer --encoding UTF8 \
      --locale C --data-checksums > /dev/null)
  fi
  chown -R postgres:postgres "$state/postgresql"
  systemctl enable --now clusterlab-postgresql.service
  as_postgres "SELECT 1 FROM pg_roles WHERE rolname = 'clusterlab'" | grep -q 1 || as_postgres "CREATE ROLE clusterlab LOGIN"
  as_postgres "SELECT 1 FROM pg_database WHERE datname = 'ledger'" | grep -q 1 \
    || as_postgres "CREATE DATABASE ledger OWNER clusterlab"
  # Only in a new ledger: a cap that an instructor set since is the newer one.
  cd "$state/home"
  runuser -u clusterlab -- clusterlab budget show > /dev/null 2>&1 \
    || runuser -u clusterlab -- clusterlab budget set --course "$CLUSTERLAB_COURSE" --usd "$BUDGET_USD"
  cd /
}

as_postgres() {
  runuser -u postgres -- psql --quiet --tuples-only --no-align --host /run/postgresql --dbname postgres --command "$1"
}

certificate() {
  local folder=/etc/clusterlab/tls
  install -d -m 0700 "$folder"
  if [ -n "$DOMAIN" ]; then
    # By a record in Route 53, so no port is open for it.
    certbot certonly --non-interactive --agree-tos --register-unsafely-without-email --dns-route53 \
      --config-dir "$state/letsencrypt" --domain "$DOMAIN" --keep-until-expiring \
      --deploy-hook "systemctl try-reload-or-restart nginx"
    ln -sf "$state/letsencrypt/live/$DOMAIN/fullchain.pem" "$folder/certificate.pem"
    ln -sf "$state/letsencrypt/live/$DOMAIN/privkey.pem" "$folder/key.pem"
    echo "config-dir = $state/letsencrypt" > /etc/letsencrypt/cli.ini
    systemctl enable --now certbot.timer
    return
  fi
  install -d -m 0700 "$state/tls"
  [ -e "$state/tls/certificate.pem" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 400 \
    -subj "/CN=$ADDRESS" -addext "subjectAltName=IP:$ADDRESS" \
    -keyout "$state/tls/key.pem" -out "$state/tls/certificate.pem"
  ln -sf "$state/tls/certificate.pem" "$state/tls/key.pem" "$folder/"
  aws s3 cp --quiet "$state/tls/certificate.pem" "$CERTIFICATE"
}

units() {
  install -m 0644 "$here"/*.service "$here"/*.timer /etc/systemd/system/
  systemctl daemon-reload
}

services() {
  install -m 0644 "$here/plugins.yaml" /etc/clusterlab/
  install -m 0644 "$here/nginx.conf" /etc/nginx/sites-available/clusterlab
  ln -sf /etc/nginx/sites-available/clusterlab /etc/nginx/sites-enabled/clusterlab
  rm -f /etc/nginx/sites-enabled/default
  systemctl enable --now clusterlab-secret.service skypilot-api.service clusterlab-meter.timer clusterlab-enforce.timer
  systemctl restart nginx
}

data_volume
accounts
units
database
certificate
services
