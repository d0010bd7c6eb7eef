// Values as they may be shown in messages and code frames: short, and without secrets.

const mask = '********'
/** Scripts count, as for the origin: they are where people put what a VM needs to know. */
const secretWords =
  /password|passwd|secret|token|credential|startup_script|(?:access|private|signing|api|segment_\w+)_?key/i
/** `password_file: /run/x` names a file; the path is no secret. */
const harmless = /_(?:file|path)$/i
const secretKey = new RegExp(`(["']?)([\\w.-]*(?:${secretWords.source})[\\w.-]*)\\1(\\s*:\\s*)(\\S.*)$`, 'i')
/** `|` or `>`: the value is on the lines below. */
const blockStart = /^[|>][-+\d]*\s*$/
const secretText: [RegExp, string][] = [
  [/(\/\/)[^\s/@"']*@/g, `$1${mask}@`],
  [/(^|[\s"'])[^\s/@"':]+:(?!\/\/)[^\s@"']+@/g, `$1${mask}@`],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, mask],
  [/\b(?:gh[pousr]_|glpat-|xox[abprs]-|eyJ)[\w.-]{12,}/g, mask],
]

export function isSecretKey(key: string): boolean {
  return secretWords.test(key) && !harmless.test(key)
}

/** A line of the user's file without the secrets it may hold. */
export function maskLine(line: string): string {
  const hidden = line.replace(secretKey, (whole, quote, key, colon, value) =>
    harmless.test(key) || blockStart.test(value) ? whole : `${quote}${key}${quote}${colon}${mask}`,
  )
  return maskText(hidden)
}

function maskText(text: string): string {
  return secretText.reduce((result, [pattern, by]) => result.replace(pattern, by), text)
}

/** A value as a message names it: `"abc"`, `12`, `a list`; at most 60 characters. */
export function shown(value: unknown, key: string | number | undefined = undefined): string {
  if (value === null || value === undefined) return 'empty'
  if (typeof key === 'string' && isSecretKey(key)) return mask
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  if (typeof value !== 'string') return String(value)
  const text = JSON.stringify(maskText(value))
  return text.length > 60 ? `${text.slice(0, 56)}…"` : text
}
