# The image of a node: driver, containers with GPUs, SkyPilot's runtime and the jobs' environment, so that a launch
# installs nothing. docs/images.md says how; the machine that makes it has a lease of three hours.
#
#   packer init images/node.pkr.hcl
#   packer build -only='node.amazon-ebs.aws' -var course=llm-2026 -var lease_until=20270228t000000z \
#     -var 'ssh_from=["203.0.113.7/32"]' images/node.pkr.hcl

packer {
  required_version = ">= 1.10.0"
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = "~> 1.3"
    }
    googlecompute = {
      source  = "github.com/hashicorp/googlecompute"
      version = "~> 1.1"
    }
  }
}

variable "course" {
  type        = string
  description = "Whose cost tags everything carries."
  validation {
    condition     = var.course != "" && regex_replace(var.course, "^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$", "") == ""
    error_message = "The course is a label: 1 to 63 of a-z, 0-9, _ and -."
  }
}

variable "lease_until" {
  type        = string
  description = "Until when the image may exist, as 20270228t000000z (UTC): the end of the class."
  validation {
    condition     = var.lease_until != "" && regex_replace(var.lease_until, "^[0-9]{8}t[0-9]{6}z$", "") == ""
    error_message = "The lease is written as 20270228t000000z, in UTC."
  }
}

variable "ssh_from" {
  type        = list(string)
  description = "Networks from which the building machine is reached: this machine's address, as a /32."
  validation {
    condition     = length(var.ssh_from) > 0 && ! contains(var.ssh_from, "0.0.0.0/0")
    error_message = "The building machine is open to named networks, not to the world."
  }
}

variable "region" {
  type    = string
  default = "us-east-1"
}

variable "instance_type" {
  type        = string
  default     = "c7i.2xlarge"
  description = "Without a GPU: the driver is compiled, and not loaded."
}

variable "kms_key_id" {
  type        = string
  default     = "alias/aws/ebs"
  description = "What the image is encrypted with; one of the class's own if other accounts use it."
}

variable "project_id" {
  type        = string
  default     = ""
  description = "Google Cloud's; only for node.googlecompute.gcp."
}

variable "zone" {
  type    = string
  default = "us-central1-a"
}

variable "machine_type" {
  type    = string
  default = "n2-standard-8"
}

variable "network" {
  type        = string
  default     = "default"
  description = "Google Cloud's, whose firewall admits ssh_from to what has the network tag clusterlab-build."
}

variable "driver" {
  type        = string
  default     = "nvidia-driver-580-server-open"
  description = "Of Ubuntu's archive; CUDA 13.0, which torch in the locks has, wants 580 or newer."
}

variable "driver_version" {
  type        = string
  default     = "580.173.02-0ubuntu0.24.04.1"
  description = "The archive keeps the newest alone: another is refused by apt, and the build fails."
}

variable "toolkit_version" {
  type        = string
  default     = "1.19.0-1"
  description = "Of nvidia-container-toolkit and its three libraries, in NVIDIA's own archive."
}

variable "disk_gib" {
  type    = number
  default = 60
}

locals {
  stamp = formatdate("YYYYMMDD't'hhmmss'z'", timestamp())
  name  = "clusterlab-${replace(var.course, "_", "-")}-node-${local.stamp}"
  tags = {
    course      = var.course
    lab         = "infra"
    lease-until = var.lease_until
    node-lock   = substr(sha256(file("${path.root}/node.lock")), 0, 12)
    train-lock  = substr(sha256(file("${path.root}/train.lock")), 0, 12)
  }
  # A build that is given up leaves a machine, which the reaper ends.
  build_tags = merge(local.tags, {
    lease-until = formatdate("YYYYMMDD't'hhmmss'z'", timeadd(timestamp(), "3h"))
  })
}

source "amazon-ebs" "aws" {
  region        = var.region
  instance_type = var.instance_type
  ssh_username  = "ubuntu"
  source_ami_filter {
    filters = {
      name                = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"
      architecture        = "x86_64"
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
    owners      = ["099720109477"] # Canonical
    most_recent = true
  }
  temporary_security_group_source_cidrs = var.ssh_from

  ami_name                = local.name
  ami_description         = "A node of clusterlab: driver ${var.driver_version}, SkyPilot's runtime, the jobs' environment"
  ami_virtualization_type = "hvm"
  encrypt_boot            = true
  kms_key_id              = var.kms_key_id
  imds_support            = "v2.0"
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  launch_block_device_mappings {
    device_name           = "/dev/sda1"
    volume_size           = var.disk_gib
    volume_type           = "gp3"
    iops                  = 3000
    throughput            = 250 # MiB a second: the environment is gigabytes
    delete_on_termination = true
    encrypted             = true
  }

  tags            = merge(local.tags, { Name = local.name, base = "{{ .SourceAMI }}" })
  snapshot_tags   = merge(local.tags, { Name = local.name })
  run_tags        = merge(local.build_tags, { Name = "${local.name}-build" })
  run_volume_tags = merge(local.build_tags, { Name = "${local.name}-build" })
}

source "googlecompute" "gcp" {
  project_id              = var.project_id
  zone                    = var.zone
  machine_type            = var.machine_type
  network                 = var.network
  tags                    = ["clusterlab-build"]
  ssh_username            = "gcpuser" # whom SkyPilot logs in as on Google Cloud
  source_image_family     = "ubuntu-2404-lts-amd64"
  source_image_project_id = ["ubuntu-os-cloud"]
  disk_size               = var.disk_gib
  disk_type               = "pd-balanced"
  metadata                = { block-project-ssh-keys = "true" }

  # Google Cloud encrypts every disk and image itself.
  image_name        = local.name
  image_family      = "clusterlab-node"
  image_description = "A node of clusterlab: driver ${var.driver_version}, SkyPilot's runtime, the jobs' environment"
  image_labels      = local.tags
  labels            = local.build_tags
}

build {
  name    = "node"
  sources = ["source.amazon-ebs.aws", "source.googlecompute.gcp"]

  provisioner "shell" {
    inline = ["mkdir -p /tmp/images"]
  }

  provisioner "file" {
    sources = [
      "${path.root}/build.lock",
      "${path.root}/install.sh",
      "${path.root}/node.lock",
      "${path.root}/node.sh",
      "${path.root}/sandbox.sh",
      "${path.root}/train.lock",
    ]
    destination = "/tmp/images/"
  }

  provisioner "shell" {
    inline = ["bash /tmp/images/node.sh", "rm -rf /tmp/images"]
    environment_vars = [
      "DRIVER=${var.driver}",
      "DRIVER_VERSION=${var.driver_version}",
      "TOOLKIT_VERSION=${var.toolkit_version}",
    ]
  }

  # Which image it became: its id goes into the cluster's file.
  post-processor "manifest" {
    output = "${path.root}/../.cache/node-image.json"
  }
}
