// What must never reach a log: values of secret-looking fields, private keys, tokens.

const secretField = /password|secret|token|authorization|private[-_]?key|credential/i
const secretText: RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\bBearer\s+[\w.~+/=-]{8,}/gi,
  /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{4,}/g,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
]
const mask = '********'

/** A copy with secrets masked; errors become their message and code. Cycles and depth beyond 8 become a note. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string')
    return secretText.reduce((text, pattern) => text.replace(pattern, mask), value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return value
  if (depth > 8) return '(too deep)'
  if (value instanceof Error) return redact({ error: value.message, code: codeOf(value) }, depth + 1)
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      secretField.test(name) && item !== '' && item != null ? mask : redact(item, depth + 1),
    ]),
  )
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
