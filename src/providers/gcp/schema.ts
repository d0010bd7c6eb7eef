// Keys of `type: gcp`: those of Determined's provisioner (provconfig/gcp_config.go) and new ones.
import * as z from 'zod/mini'
import {
  block,
  count,
  flag,
  instanceTypes,
  key,
  keyOr,
  kinds,
  list,
  name,
  names,
  period,
  providerSchema,
  shaped,
  spotKey,
  text,
} from '../../config/index.ts'

/** https://cloud.google.com/compute/docs/labeling-resources#requirements */
const labelKey = shaped(
  /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u,
  'a label key: lower-case letters, digits, "_" and "-", a letter first, at most 63',
  'Use lower case and replace other characters by "-".',
)
const labelValue = shaped(
  /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u,
  'a label value: lower-case letters, digits, "_" and "-", at most 63',
  'Use lower case and replace other characters by "-".',
)

/** https://cloud.google.com/vpc/docs/add-remove-network-tags#restrictions: RFC 1035. */
const networkTag = shaped(
  /^[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?$/,
  'a network tag: lower-case letters, digits and "-", a letter first, at most 63',
  'Write it as in the firewall rule; `gcloud compute firewall-rules list` shows the tags.',
)

/** https://cloud.google.com/compute/docs/reference/rest/v1/reservations: RFC 1035, in this project or a shared one. */
const reservationName = shaped(
  /^(?:projects\/[^/]+\/reservations\/)?[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?$/,
  'the name of a reservation, or projects/PROJECT/reservations/NAME of a shared one',
  'Run `gcloud compute reservations list` to list them.',
)

const capacityKeys = {
  reservation: key(
    reservationName,
    'A reservation: its name, or `projects/PROJECT/reservations/NAME` of a shared one.',
  ),
  only: keyOr(flag, false, 'Never launch outside of the reservation.'),
  flex_start: key(
    period,
    'Launch Flex-start instances (Dynamic Workload Scheduler), which Google deletes after this time: `1h` to `168h`.',
  ),
}

const gcpKeys = {
  base_config: key(
    z.record(z.string(), z.unknown()),
    'Compute Engine `InstanceProperties` as in its REST API, camelCase; the keys below override it.',
    '`{}`',
  ),
  project: key(name, 'Project.', 'the metadata server'),
  zone: key(name, 'Zone, such as `us-central1-a`.', 'the metadata server'),
  zones: keyOr(names, [], 'Several zones of one region, in order of preference.'),
  boot_disk_source_image: key(
    name,
    'Image of the boot disk: `projects/PROJECT/global/images/NAME`, or `…/images/family/FAMILY`. It needs Docker, and the NVIDIA runtime for GPUs. There is no built-in image.',
    'none: it is required, unless `base_config` has a boot disk',
  ),
  boot_disk_size: keyOr(count(100), 200, 'GB.'),
  boot_disk_type: key(
    name,
    'Disk type; of a URL, only the last part is used.',
    '`pd-standard`; for machine series without it `pd-balanced` or `hyperdisk-balanced`',
  ),
  labels: keyOr(z.record(labelKey, labelValue), {}, 'Additional labels on each instance.'),
  label_key: keyOr(
    labelKey,
    'managed-by',
    'An additional label on each instance. It does not affect which instances the provisioner manages.',
  ),
  label_value: key(
    labelValue,
    'Value of `label_key`.',
    "the master's instance name, otherwise `determined-ai-determined`",
  ),
  name_prefix: key(
    shaped(
      /^[a-z][-a-z0-9]{0,62}$/,
      'a prefix of lower-case letters, digits and "-", a letter first, at most 63',
      'Use lower case and begin with a letter.',
    ),
    'Prefix of the instance names.',
    'the label value and `-`',
  ),
  network_interface: block(
    {
      network: keyOr(text, '', 'Network; with `subnetwork`.'),
      subnetwork: keyOr(text, '', 'Subnetwork; with `network`.'),
      external_ip: keyOr(flag, false, 'Assign an external IP address to the instance.'),
    },
    'The network of the instance.',
  ),
  network_tags: keyOr(
    z.array(networkTag).register(kinds, list('strings')),
    [],
    'Network tags, for firewall rules.',
  ),
  service_account: block(
    {
      email: keyOr(text, '', 'Service account of the instance.'),
      scopes: key(
        names,
        'Its scopes.',
        '`https://www.googleapis.com/auth/cloud-platform` when `email` is set',
      ),
    },
    'The Google Cloud identity of the instance.',
  ),
  instance_type: block(
    {
      machine_type: key(
        name,
        'Machine type, such as `n1-standard-32`; of a URL, only the last part is used.',
        '`n1-standard-32`',
      ),
      gpu_type: key(
        text,
        'Type of the GPUs attached to an N1 machine.',
        '`nvidia-tesla-t4` for N1, otherwise none or what the machine type has built in',
      ),
      gpu_num: key(
        count(0),
        'Number of GPUs.',
        '`4` for N1, otherwise as many as the machine type has built in',
      ),
      preemptible: keyOr(flag, false, 'Use capacity that Google may interrupt.'),
    },
    'Machine type and GPUs.',
    'Write `instance_type: {machine_type: …}`; several types belong in instance_types.',
  ),
  instance_types: key(
    instanceTypes,
    'Several machine types, in order of preference: names, or mappings with the slots. GPUs of `instance_type` are attached to N1 types.',
  ),
  spot: spotKey(
    {},
    'Use Spot VMs: `true`, `false`, or a mapping. `instance_type.preemptible: true` means the same as `true`.',
  ),
  capacity: key(
    z.strictObject(capacityKeys),
    'A reservation, which is tried first, or Flex-start instances ([how](gcp.md#reserved-capacity-and-flex-start)).',
    'none',
  ),
  cpu_slots_allowed: keyOr(flag, false, 'Use a machine without GPUs as one CPU slot.'),
  use_cloud_logging: keyOr(flag, false, "Send the agent container's log to Cloud Logging."),
  operation_timeout_period: keyOr(
    period,
    '5m',
    'How long one operation of the Compute Engine API is followed.',
  ),
}

export const gcpProvider = providerSchema('gcp', 'Instances on Google Compute Engine.', gcpKeys)

export type GcpKeys = z.output<typeof gcpProvider>
