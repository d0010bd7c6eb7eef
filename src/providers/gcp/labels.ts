// The labels of a VM: Determined's, the provisioner's, and the user's.
import type { MasterAddress } from '../../pki/index.ts'
import { derivedName } from '../../platform/index.ts'
import { type Problem, problem } from '../../problems/index.ts'
import { type Ownership, ownerTagsOf } from '../contract.ts'
import type { GcpConfig } from './rules.ts'

export interface LabelInput {
  config: GcpConfig
  owner: Ownership
  master: MasterAddress
  intentId: string
  identity: string
}

type Labels = Record<string, string>

/** Keys of labels and of metadata values: our tag keys with `-` instead of `:`. */
export function ownerKeys(owner: Ownership, intentId: string): Labels {
  const tags = Object.entries(ownerTagsOf(owner, intentId))
  return Object.fromEntries(tags.map(([key, value]) => [key.replace(':', '-'), value]))
}

/** Later ones override: `base_config`, the user's, those of Determined's provisioner (gcp.go), our own. */
export function labelsOf({ config, owner, master, intentId, identity }: LabelInput, base: Labels): Labels {
  const ours = Object.entries(ownerKeys(owner, intentId)).map(([key, value]) => [key, labelOf(value)])
  return {
    ...base,
    ...config.labels,
    [config.label_key]: config.label_value ?? identity,
    'determined-resource-pool': labelOf(owner.pool),
    'determined-master-host': hostLabel(master.host),
    'determined-master-port': String(master.port),
    ...Object.fromEntries(ours),
  }
}

/** For people and their filters, in Determined's format; the exact address is in the metadata. */
function hostLabel(host: string): string {
  return host
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '-')
    .slice(0, 63)
}

const key = /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u
const value = /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u

/** What Compute Engine would refuse: more than 64 labels, and invalid keys and values. */
export function labelProblems({ config, owner, intentId }: LabelInput, labels: Labels): Problem[] {
  const found: string[] = []
  const count = Object.keys(labels).length
  if (count > 64) found.push(`${count} labels, but an instance can have at most 64`)
  const ours = ownerKeys(owner, intentId)
  for (const name of Object.keys(config.labels))
    if (name in ours) found.push(`the key "${name}", which is reserved for the provisioner`)
  for (const [name, text] of Object.entries(labels)) {
    if (text.startsWith('<')) continue
    if (!key.test(name))
      found.push(
        `the key "${name}" (a lower-case letter, then at most 62 lower-case letters, digits, _ or -)`,
      )
    if (!value.test(text))
      found.push(`the value "${text}" of ${name} (at most 63 lower-case letters, digits, _ or -)`)
  }
  return found.map((what) => problem('REQUEST_TAGS_REFUSED', `Google Cloud would reject the labels: ${what}`))
}

// Encodes any string as a label value and back: labels allow only lower-case letters, digits, `-` and `_`, and 63
// characters.
// https://cloud.google.com/compute/docs/labeling-resources#requirements

const limit = 63
const hashLength = 16

/**
 * Lower-case letters, digits and `-` stay; `_` is doubled; every other UTF-8 byte becomes `_` and two hex digits, so that
 * different strings get different labels. For a string that is too long, the label ends in `_h` and a hash: still unique,
 * but it cannot be decoded.
 */
export function labelOf(text: string): string {
  const label = text.replace(/[^a-z0-9-]/gu, (character) =>
    character === '_'
      ? '__'
      : [...Buffer.from(character)].map((byte) => `_${byte.toString(16).padStart(2, '0')}`).join(''),
  )
  if (label.length <= limit) return label
  const kept = label.slice(0, limit - 2 - hashLength).replace(/_[0-9a-f]?$/, '')
  return `${kept}_h${derivedName(hashLength, text)}`
}

/** The string that `labelOf` encoded; undefined for a label that it did not make, or that contains a hash. */
export function textOfLabel(label: string): string | undefined {
  if (!/^(?:[a-z0-9-]|__|_[0-9a-f]{2})*$/.test(label)) return undefined
  const bytes = label.replace(/__|_[0-9a-f]{2}/g, (code) => (code === '__' ? '%5f' : `%${code.slice(1)}`))
  try {
    const text = decodeURIComponent(bytes)
    return labelOf(text) === label ? text : undefined
  } catch {
    return undefined
  }
}

/** A pool's name as its label shows it: a name that is too long is a hash there, and is shown as the label. */
export function shownPool(pool: string): string {
  const label = labelOf(pool)
  return textOfLabel(label) ?? label
}
