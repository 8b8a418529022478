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
mount -t tmpfs -o mode=755 tmpfs "$ROOT/dev"
for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 fuse:10:229; do
  IFS=: read -r name major minor <<< "$device"
  mknod -m 666 "$ROOT/dev/$name" c "$major" "$minor"
done
mkdir "$ROOT/dev/pts" "$ROOT/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$ROOT/dev/pts"
ln -s pts/ptmx "$ROOT/dev/ptmx"
ln -s /proc/self/fd "$ROOT/dev/fd"
for number in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${number%:*}" "$ROOT/dev/${number#*:}"; done
mount -t tmpfs tmpfs "$ROOT/dev/shm"
# SkyPilot mounts buckets for the user, to be seen by root too.
echo user_allow_other >> "$ROOT/etc/fuse.conf"
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
