// Codes of what providers, the master's address and machines demand.
import type { CodeInfo } from './code-info.ts'

export const configProviderCodes = {
  PROVIDER_TYPE_MISSING: {
    severity: 'error',
    exit: 3,
    meaning: 'A provider does not say of which type it is, so its other keys cannot be understood.',
    remedy: 'Add `type: aws`, `type: gcp` or `type: local`.',
  },
  PROVIDER_TYPE_UNKNOWN: {
    severity: 'error',
    exit: 3,
    meaning: 'A provider is of a type that does not exist.',
    remedy: 'Write `type: aws`, `type: gcp` or `type: local`.',
  },
  PROVIDER_HPC: {
    severity: 'error',
    exit: 3,
    meaning:
      '`type: hpc` belongs to the Slurm and PBS resource managers: their queues start the work, and there is no VM to launch.',
    remedy: 'Remove the provider of this pool, or use `type: aws`, `gcp` or `local`.',
  },
  RESOURCE_MANAGER_UNSUPPORTED: {
    severity: 'error',
    exit: 3,
    meaning:
      'The resource manager runs work without agents (Kubernetes, Slurm, PBS), so there is nothing to launch.',
    remedy: 'Use `resource_manager: {type: agent}`, or do not run the provisioner beside this master.',
  },
  MASTER_URL_INVALID: {
    severity: 'error',
    exit: 3,
    meaning: '`master_url` is not of the form scheme://host:port.',
    remedy: 'Write it as "https://master.example.com:8443", without a path.',
  },
  MASTER_URL_USERINFO: {
    severity: 'error',
    exit: 3,
    meaning:
      '`master_url` holds a user name or password; it would be written into the user data of every VM.',
    remedy: 'Remove everything up to the "@": agents do not log in.',
  },
  MASTER_HOST_ALIAS: {
    severity: 'warning',
    exit: 3,
    meaning:
      "The master's host is an alias that only the metadata server of the master's machine can resolve.",
    remedy:
      'Nothing to do where the master runs in that cloud; elsewhere write the host into master_url, or pass --master-host.',
  },
  MASTER_PORT_ASSUMED: {
    severity: 'warning',
    exit: 3,
    meaning:
      '`master_url` is https without a port, and the master itself has no certificate: something in front of it ends TLS.',
    remedy: 'Write the port of that proxy into master_url, such as "https://master.example.com:443".',
  },
  IMAGE_MISSING: {
    severity: 'error',
    exit: 3,
    meaning: 'A cloud provider names no machine image, and there is no built-in one.',
    remedy: 'Set image (AWS) or boot_disk_source_image (GCP); docs/configuration.md names public ones.',
  },
  INSTANCE_SLOTS_UNKNOWN: {
    severity: 'error',
    exit: 3,
    meaning: 'The number of accelerators of an instance type is not known without asking the cloud.',
    remedy: 'Say it: `instance_types: [{type: …, slots: N}]`.',
  },
  MACHINE_TYPE_INVALID: {
    severity: 'error',
    exit: 3,
    meaning: 'A name is not one of a Compute Engine machine type.',
    remedy: 'Write it as SERIES-CLASS-SIZE, such as "n1-standard-8", "g2-standard-8" or "custom-4-8192".',
  },
  GPU_TYPE_UNKNOWN: {
    severity: 'error',
    exit: 3,
    meaning: '`gpu_type` names no GPU that can be attached to a machine.',
    remedy:
      'Use nvidia-tesla-t4, nvidia-tesla-p4, nvidia-tesla-p100 or nvidia-tesla-v100 with an N1 machine.',
  },
  GPU_COUNT_INVALID: {
    severity: 'error',
    exit: 3,
    meaning: 'This many GPUs of the type cannot be on one machine.',
    remedy: 'Use one of the numbers named in the message.',
  },
  GPU_NOT_ATTACHABLE: {
    severity: 'error',
    exit: 3,
    meaning: 'GPUs of this type cannot be attached to this machine type.',
    remedy:
      'Attach T4, P4, P100 or V100 to an N1 machine, or choose a machine type with built-in GPUs (a2, a3, a4, g2, g4).',
  },
} as const satisfies Record<string, CodeInfo>
