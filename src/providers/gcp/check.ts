// `provision check` for a pool: what Google Cloud says to each thing a launch would need, without launching.

import type { Offering } from '../../planner/instance.ts'
import { type Problem, problem } from '../../problems/problem.ts'
import type { CheckItem } from '../contract.ts'
import type { GceCheckApi, GceImage } from './check-api.ts'
import { attempt, fault } from './check-items.ts'
import { checkQuotas } from './check-quota.ts'
import { checkTypes } from './check-types.ts'
import { messages } from './compute-package.ts'
import type { GcpConfig } from './gcp-config.ts'
import { permissionsOf } from './iam-role.ts'
import { lastPart } from './instances.ts'
import { regionOf } from './launch-steps.ts'
import type { Place } from './place.ts'
import { strangeFields } from './strange-fields.ts'

export interface CheckInput {
  api: GceCheckApi
  config: GcpConfig
  place: Place
  offerings: Offering[]
  signal?: AbortSignal | undefined
}

/** Every item, also after one that failed: all is told at once. */
export async function checkPool(input: CheckInput): Promise<CheckItem[]> {
  const items: CheckItem[] = [{ what: `project ${input.place.project}` }]
  const region = await checkZones(items, input)
  const refused = items.at(-1)?.problem
  // Nothing else can be asked then; the same words for each thing would hide that.
  if (refused?.details?.['code'] === 'credentials')
    return [items[0]!, { what: 'credentials', problem: refused }]
  await checkPermissions(items, input)
  checkBase(items, input.config)
  await checkImage(items, input)
  await checkNetwork(items, input)
  const types = await checkTypes(items, input)
  if (region) await checkQuotas(items, input, region, types)
  input.signal?.throwIfAborted()
  return items
}

async function checkZones(items: CheckItem[], { api, config, place, signal }: CheckInput) {
  const { project } = place
  const name = regionOf(place.zone)
  const named = config.zones.length ? config.zones : [place.zone]
  const look = () => api.getRegion({ project, region: name }, signal)
  return attempt(items, `region ${name} with ${named.join(', ')}`, look, ({ zones = [] }) => {
    const real = zones.map(lastPart)
    const strange = named.filter((zone) => !real.includes(zone))
    return strange.length
      ? fault(`region ${name} has no ${strange.join(', ')}`, `Use some of ${real.join(', ')}.`)
      : undefined
  })
}

async function checkPermissions(items: CheckItem[], { api, config, place, signal }: CheckInput) {
  const needed = permissionsOf([config])
  const { project } = place
  const answer: CheckItem[] = []
  const look = () => api.testPermissions({ project, permissions: [...needed.keys()] }, signal)
  const found = await attempt(answer, `permissions in project ${project}`, look)
  if (!found) return void items.push(...answer)
  for (const [permission, why] of needed) {
    const what = `${permission} ${why}`
    const granted = found.permissions?.includes(permission)
    items.push(granted ? { what } : { what, problem: notGranted(permission, project) })
  }
}

function checkBase(items: CheckItem[], { base_config }: GcpConfig): void {
  if (!Object.keys(base_config).length) return
  const [strange] = strangeFields(base_config, messages())
  items.push(strange ? { what: 'base_config', problem: strange } : { what: 'base_config' })
}

function notGranted(permission: string, project: string): Problem {
  return problem('PROVIDER_AUTH', `the provisioner's account has no ${permission} in project ${project}`, {
    remedy: 'Give it a role that has the permission; docs/gcp.md has the least role.',
  })
}

async function checkImage(items: CheckItem[], { api, config, place, signal }: CheckInput) {
  const path = config.boot_disk_source_image
  if (!path) return
  const parts = /(?:projects\/([^/]+)\/)?global\/images\/(family\/)?([^/]+)$/.exec(path)
  const what = `image ${path}`
  if (!parts) {
    const remedy = 'Write it as projects/PROJECT/global/images/NAME, or …/images/family/FAMILY.'
    items.push({ what, problem: fault(`${path} is not the path of an image`, remedy) })
    return
  }
  const [, project = place.project, family, name = ''] = parts
  const look = () =>
    family
      ? api.getImageFromFamily({ project, family: name }, signal)
      : api.getImage({ project, image: name }, signal)
  await attempt(items, what, look, (image) => unusable(image, config))
}

function unusable({ name = '', status = 'READY', deprecated, diskSizeGb }: GceImage, config: GcpConfig) {
  const state = deprecated?.state
  if (state === 'OBSOLETE' || state === 'DELETED') return fault(`image ${name} is ${state.toLowerCase()}`)
  if (status !== 'READY') return fault(`image ${name} is ${status.toLowerCase()}`)
  const size = Number(diskSizeGb ?? 0)
  return size > config.boot_disk_size
    ? fault(
        `image ${name} needs a disk of ${size} GB, but boot_disk_size is ${config.boot_disk_size}`,
        `Set boot_disk_size to at least ${size}.`,
      )
    : undefined
}

async function checkNetwork(items: CheckItem[], { api, config, place, signal }: CheckInput) {
  const { network, subnetwork } = config.network_interface
  const own = Array.isArray(config.base_config['networkInterfaces'])
  const named = network || (own ? '' : 'default')
  const projectOf = (path: string) => /projects\/([^/]+)\//.exec(path)?.[1] ?? place.project
  if (named)
    await attempt(items, `network ${named}`, () =>
      api.getNetwork({ project: projectOf(named), network: lastPart(named) }, signal),
    )
  if (!subnetwork) return
  const region = /regions\/([^/]+)\//.exec(subnetwork)?.[1] ?? regionOf(place.zone)
  const look = () =>
    api.getSubnetwork({ project: projectOf(subnetwork), region, subnetwork: lastPart(subnetwork) }, signal)
  await attempt(items, `subnetwork ${subnetwork} in ${region}`, look, (found) =>
    network && lastPart(found.network) !== lastPart(network)
      ? fault(`subnetwork ${subnetwork} is of network ${lastPart(found.network)}, not of ${network}`)
      : undefined,
  )
}
