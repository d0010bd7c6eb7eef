// Readable JSON in Biome's format: a list or object of plain values is on one line if it fits.

const width = 110

/** `taken`: characters of the line before the value, and a comma after it. */
export function readableJson(value: unknown, indent = '', taken = 1): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const isList = Array.isArray(value)
  const entries = Object.entries(value).filter(([, part]) => part !== undefined)
  const short = isList ? value.every((item) => isPlain(item) || holdsOnlyPlain(item)) : holdsOnlyPlain(value)
  const flat = onOneLine(value)
  if (entries.length === 0 || (short && indent.length + taken + flat.length <= width)) return flat
  const inner = `${indent}  `
  const parts = entries.map(([key, part]) => {
    const name = isList ? '' : `${JSON.stringify(key)}: `
    return name + readableJson(part, inner, name.length + 1)
  })
  const [open, close] = isList ? '[]' : '{}'
  return `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${indent}${close}`
}

function isPlain(value: unknown): boolean {
  return typeof value !== 'object' || value === null
}

function holdsOnlyPlain(value: unknown): boolean {
  return !Array.isArray(value) && Object.values(value as object).every(isPlain)
}

function onOneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(onOneLine).join(', ')}]`
  if (isPlain(value)) return JSON.stringify(value)
  const parts = Object.entries(value as object).map(
    ([key, part]) => `${JSON.stringify(key)}: ${onOneLine(part)}`,
  )
  return parts.length ? `{ ${parts.join(', ')} }` : '{}'
}
