#!/usr/bin/env bash
# Make this machine the image of a node. Packer runs it (images/node.pkr.hcl) as the user whom SkyPilot logs in as, on
# Ubuntu 24.04, with the locks beside it:  DRIVER=... DRIVER_VERSION=... TOOLKIT_VERSION=... bash node.sh
set -euo pipefail
: "${DRIVER:?}" "${DRIVER_VERSION:?}" "${TOOLKIT_VERSION:?}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export DEBIAN_FRONTEND=noninteractive
install=(sudo -E apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=600)

echo "node: packages"
# 2 is that it ended with a warning.
cloud-init status --wait >/dev/null || [ $? -eq 2 ]
sudo apt-get update -o DPkg::Lock::Timeout=600
# It would put a library beside a driver of another version while jobs run; images are made anew instead.
sudo apt-get purge --yes unattended-upgrades
"${install[@]}" ca-certificates curl docker.io fuse3 g++ gcc git gpg jq libc6-dev make netcat-openbsd patch psmisc \
  python3-dev python3-venv rsync socat "linux-headers-$(uname -r)"
bash "$here/sandbox.sh"

echo "node: driver"
"${install[@]}" "$DRIVER=$DRIVER_VERSION"
# The module that was compiled is for this kernel.
sudo apt-mark hold "$DRIVER" "linux-image-$(uname -r)" "linux-headers-$(uname -r)"

echo "node: container toolkit"
keyring=/usr/share/keyrings/nvidia-container-toolkit.gpg
archive=https://nvidia.github.io/libnvidia-container
curl --fail --silent --show-error --location "$archive/gpgkey" | sudo gpg --dearmor --output "$keyring"
echo "deb [signed-by=$keyring] $archive/stable/deb/amd64 /" |
  sudo tee /etc/apt/sources.list.d/nvidia-container-toolkit.list >/dev/null
sudo apt-get update
"${install[@]}" {nvidia-container-toolkit,nvidia-container-toolkit-base,libnvidia-container-tools,libnvidia-container1}="$TOOLKIT_VERSION"
sudo nvidia-ctk runtime configure --runtime=docker
sudo usermod --append --groups docker "$USER"

echo "node: SkyPilot's runtime"
# Where SkyPilot looks for it, so that a launch finds it made. Its old Ray wants a Python below 3.12.
python3 -m venv /tmp/build
/tmp/build/bin/pip install --quiet --no-cache-dir --requirement "$here/build.lock"
mkdir -p ~/.local/bin ~/.sky/sky_app ~/sky_workdir
cp /tmp/build/bin/uv ~/.local/bin/uv
export UV_LINK_MODE=copy
~/.local/bin/uv venv --quiet --seed --python 3.11 ~/skypilot-runtime
# SkyPilot's own wheel comes with each launch.
grep -v '^skypilot==' "$here/node.lock" >/tmp/runtime.lock
UV=~/.local/bin/uv bash "$here/install.sh" /tmp/runtime.lock ~/skypilot-runtime --compile-bytecode
echo "$HOME/skypilot-runtime/bin/python" >~/.sky/python_path
sudo ln -s ~/skypilot-runtime/bin/rclone /usr/local/bin/rclone

echo "node: the jobs' environment"
# Where `make env` looks for it.
environment=/opt/clusterlab/train-$(sha256sum "$here/train.lock" | cut -c1-12)
sudo install --directory --owner="$USER" /opt/clusterlab /usr/share/sbom
UV=~/.local/bin/uv UV_PYTHON_DOWNLOADS=never bash "$here/install.sh" "$here/train.lock" "$environment" --compile-bytecode
for made in ~/skypilot-runtime "$environment"; do
  /tmp/build/bin/cyclonedx-py environment --output-reproducible --spec-version 1.6 \
    --output-file "/usr/share/sbom/$(basename "$made").cdx.json" "$made/bin/python"
done
dpkg-query --show >/usr/share/sbom/packages.tsv
sudo chown --recursive root:root /opt/clusterlab /usr/share/sbom

echo "node: cleaning"
# Nothing of the machine that made it: keys, names, logs, caches.
rm -rf ~/.cache ~/.bash_history /tmp/build /tmp/runtime.lock ~/.ssh/authorized_keys
sudo apt-get clean
sudo rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_* ~root/.ssh/authorized_keys ~root/.bash_history
sudo cloud-init clean --logs --machine-id --seed
sudo sync
