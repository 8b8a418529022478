#!/bin/bash
# Become a host: `host.sh LAYERS FOLDER NAME` in namespaces that were made for it. LAYERS are the folders of an overlay,
# FOLDER is what is this host's own: `upper` its disk, `shared` what others put there, `start` what it runs.
set -e
LAYERS=$1 FOLDER=$2 NAME=$3
ROOT=$FOLDER/root
hostname "$NAME"
mount -t overlay overlay -o "lowerdir=$LAYERS,upperdir=$FOLDER/upper,workdir=$FOLDER/work" "$ROOT"
mount -t proc proc "$ROOT/proc"
mount -t sysfs -o ro sysfs "$ROOT/sys"
mount --rbind /dev "$ROOT/dev"
mount -t tmpfs tmpfs "$ROOT/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$ROOT/tmp"
mount -t tmpfs tmpfs "$ROOT/run"
mkdir -p "$ROOT/run/sshd"
for folder in "$FOLDER"/shared/*; do
  [ -e "$folder" ] || continue
  mkdir -p "$ROOT/$(basename "$folder")"
  mount --rbind "$folder" "$ROOT/$(basename "$folder")"
done
# Nobody answers for names out there, so that asking fails at once.
: > "$ROOT/etc/resolv.conf"
cp "$FOLDER/hosts" "$ROOT/etc/hosts"
cp "$FOLDER/start" "$ROOT/run/start"
# tini collects what ends and passes signals on: the first process of a host has nobody else for that.
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot "$ROOT" tini -g -- bash /run/start
