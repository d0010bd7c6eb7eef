// Any text as a label value and back: labels know only small letters, digits, `-` and `_`, and 63 characters.
// https://cloud.google.com/compute/docs/labeling-resources#requirements
import { derivedName } from '../../platform/derived-id.ts'

const limit = 63
const hashLength = 16

/**
 * Small letters, digits and `-` stay; `_` doubles; every other UTF-8 byte becomes `_` and two hex digits, so that no
 * two texts share a label. A text too long for that ends in `_h` and a hash: still one of a kind, but not readable back.
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

/** The text that `labelOf` was given; undefined for a label it did not make, or made with a hash. */
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
