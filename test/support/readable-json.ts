// JSON for people: an object or a list without further ones inside stays on one line while it is short.

export function readableJson(value: unknown, indent = '', width = 110): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const flat = JSON.stringify(value, null, 1).replace(/\n */g, ' ')
  const simple = Object.values(value).every((part) => typeof part !== 'object' || part === null)
  if (simple && indent.length + flat.length <= width) return flat
  const inner = `${indent}  `
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}']
  const parts = Array.isArray(value)
    ? value.map((part) => readableJson(part, inner, width))
    : Object.entries(value)
        .filter(([, part]) => part !== undefined)
        .map(([key, part]) => `${JSON.stringify(key)}: ${readableJson(part, inner, width)}`)
  return parts.length ? `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${indent}${close}` : open + close
}
