// The form of what Compute Engine and IAM name: projects, zones, images, networks. Judged without a network; whether a name
// exists, `check` asks.
import { type Block, doubt, note, type Partially, type YamlPath } from '../../config/index.ts'
import { nearest } from '../../platform/index.ts'
import type { GcpKeys } from './schema.ts'

type Keys = Partially<GcpKeys>

/** Notes names that Google Cloud cannot have (errors), and unusual ones (warnings of `provision validate`). */
export function checkNames(keys: Keys, block: Block): void {
  checkProject(keys.project, block)
  checkZone(keys.zone, block, ['zone'])
  keys.zones?.forEach((zone, index) => {
    checkZone(zone, block, ['zones', index])
  })
  checkImage(keys.boot_disk_source_image, block)
  checkNetwork(keys, block)
  checkAccount(keys.service_account?.email, block)
}

/** https://cloud.google.com/resource-manager/docs/creating-managing-projects; also numbers, and projects of a domain. */
const projectForm = /^(?:[a-z\d.-]+:)?[a-z][a-z\d-]{4,28}[a-z\d]$|^\d+$/

function checkProject(project: string | undefined, block: Block): void {
  if (!project || projectForm.test(project)) return
  const key = 'project'
  const last = project.slice(project.lastIndexOf('/') + 1)
  if (last !== project)
    note(block, 'CONFIG_BAD_VALUE', `project must be the id of a project, but is ${quoted(project)}`, {
      key,
      remedy: `Write \`project: ${last}\`.`,
    })
  else if (/[A-Z\s]/.test(project))
    note(block, 'CONFIG_BAD_VALUE', `project must be the id of a project, but is ${quoted(project)}`, {
      key,
      remedy: 'This looks like a display name; `gcloud projects list` shows the ids.',
    })
  else
    doubt(block, 'CONFIG_UNUSUAL_ID', `project ${quoted(project)} does not have the form of a project id`, {
      key,
      remedy:
        'Ids have 6 to 30 lower-case letters, digits and hyphens, a letter first; `gcloud projects list` shows them.',
    })
}

// Zones: an area, a direction and a number are the region; a letter follows.

/** Also zones for AI accelerators, such as `us-central1-ai1a`, and those of sovereign clouds (`u-…`). */
const zoneForm = /^[a-z]+(?:-[a-z]+)+\d+-(?:ai\d)?[a-z]$/
/** https://cloud.google.com/compute/docs/regions-zones; a new area is a warning only. */
const areas = ['africa', 'asia', 'australia', 'europe', 'me', 'northamerica', 'southamerica', 'us'] as const
const directions = [
  'central',
  'east',
  'north',
  'northeast',
  'northwest',
  'south',
  'southeast',
  'southwest',
  'west',
] as const

const regionForm = new RegExp(`^[a-z]+-(?:${directions.join('|')})\\d+$`)

function checkZone(zone: string | undefined, block: Block, key: YamlPath): void {
  if (!zone) return
  const name = String(key[0])
  const remedy = zoneRemedy(zone)
  if (remedy)
    note(block, 'CONFIG_BAD_VALUE', `${name} must be a zone, but is ${quoted(zone)}`, { key, remedy })
  const meant = zoneForm.test(zone) ? correctedZone(zone) : undefined
  if (remedy || meant === zone) return
  doubt(block, 'CONFIG_UNKNOWN_LOCATION', `${name} ${quoted(zone)} is not like any known zone`, {
    key,
    remedy: meant ? `Did you mean "${meant}"?` : '`gcloud compute zones list` shows the zones.',
  })
}

/** For what is certainly no zone; undefined for anything else. */
function zoneRemedy(zone: string): string | undefined {
  const last = zone.slice(zone.lastIndexOf('/') + 1)
  if (last !== zone) return `Write ${quoted(last)}.`
  const lower = zone.toLowerCase()
  if (lower !== zone && zoneForm.test(lower)) return `Write ${quoted(lower)}.`
  if (regionForm.test(zone)) return `This is a region; write one of its zones, such as "${zone}-a".`
  const undashed = /^([a-z]+(?:-[a-z]+)+\d+)([a-z])$/.exec(zone)
  if (undashed) return `Did you mean "${undashed[1]}-${undashed[2]}"?`
  return /^[a-z]{2}(?:-[a-z]+)+-\d[a-z]?$/.test(zone)
    ? 'This is a region or zone of AWS; write one such as "us-central1-a".'
    : undefined
}

/** With the nearest known area and direction; undefined if one of them is like none. Sovereign clouds are not judged. */
function correctedZone(zone: string): string | undefined {
  const [, area = '', direction = '', rest = ''] = /^([a-z]+)-([a-z]+)(\d.*)$/.exec(zone) ?? []
  if (area === '') return zone
  const known = nearest(area, areas)
  const towards = nearest(direction, directions)
  return known && towards && `${known}-${towards}${rest}`
}

// Images, networks and accounts.

/** https://cloud.google.com/compute/docs/reference/rest/v1/instances: `sourceImage`, and views of families in a zone. */
const imagePath = /(?:^|\/)(?:images\/(?:family\/)?|imageFamilyViews\/)[^/]+$/

function checkImage(image: string | undefined, block: Block): void {
  if (!image || imagePath.test(image)) return
  const key = 'boot_disk_source_image'
  // Terraform accepts it: https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/compute_instance
  const [, project, family] =
    /^(?:projects\/)?([a-z][a-z\d.:-]*)\/(?:family\/)?([a-z][a-z\d-]*)$/.exec(image) ?? []
  const remedy =
    project && project !== 'family'
      ? `Write "projects/${project}/global/images/family/${family}" if ${family} is a family, otherwise "projects/${project}/global/images/${family}".`
      : 'Write "projects/PROJECT/global/images/NAME", or "projects/PROJECT/global/images/family/FAMILY".'
  const message = `${key} must be the path of an image, but is ${quoted(image)}`
  if (image.startsWith('ami-'))
    note(block, 'CONFIG_BAD_VALUE', `${message}, an image of AWS`, { key, remedy })
  else doubt(block, 'CONFIG_UNUSUAL_ID', message, { key, remedy })
}

function checkNetwork({ network_interface, zone, zones }: Keys, block: Block): void {
  const { network = '', subnetwork = '' } = network_interface ?? {}
  for (const [name, value, part] of [
    ['network', network, 'networks'],
    ['subnetwork', subnetwork, 'subnetworks'],
  ] as const) {
    if (!value.includes('/') || value.includes(`/${part}/`) || value.startsWith(`${part}/`)) continue
    const form = part === 'networks' ? 'projects/PROJECT/global' : 'projects/PROJECT/regions/REGION'
    const message = `network_interface.${name} must be the path of a ${name}, but is ${quoted(value)}`
    note(block, 'CONFIG_BAD_VALUE', message, {
      key: ['network_interface', name],
      remedy: `Write it as "${form}/${part}/NAME".`,
    })
  }
  const [, region] = /\bregions\/([^/]+)\//.exec(subnetwork) ?? []
  const chosen = zone || zones?.[0]
  if (region === undefined || !chosen || !zoneForm.test(chosen) || chosen.startsWith(`${region}-`)) return
  note(
    block,
    'CONFIG_CONFLICT',
    `network_interface.subnetwork is in region ${region}, but the zone is ${chosen}`,
    {
      key: ['network_interface', 'subnetwork'],
      remedy: `Use a subnetwork of ${chosen.slice(0, chosen.lastIndexOf('-'))}, or a zone of ${region}.`,
    },
  )
}

/** `default` is the account of the project: https://cloud.google.com/compute/docs/access/service-accounts. */
function checkAccount(email: string | undefined, block: Block): void {
  if (!email || email === 'default' || /^[^\s@/:]+@[^\s@/:]+$/.test(email)) return
  // Of a path, or of a member of a policy: `serviceAccount:…`.
  const last = email.replace(/^.*[/:]/, '')
  note(
    block,
    'CONFIG_BAD_VALUE',
    `service_account.email must be the e-mail address of a service account, but is ${quoted(email)}`,
    {
      key: ['service_account', 'email'],
      remedy: last.includes('@')
        ? `Write ${quoted(last)}.`
        : 'Write it as "NAME@PROJECT.iam.gserviceaccount.com".',
    },
  )
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text)
}
