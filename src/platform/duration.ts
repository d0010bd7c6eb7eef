// Durations in Go's syntax, which Determined's provisioner uses: "1h30m" or "1.5s".

const unitMs: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}
const whole = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/
const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g

/**
 * Milliseconds of a Go duration (https://pkg.go.dev/time#ParseDuration), or undefined when the text is not one.
 * "0" is the only number allowed without a unit.
 */
export function parseDuration(text: string): number | undefined {
  if (/^[+-]?0$/.test(text)) return 0
  if (!whole.test(text)) return undefined
  let ms = 0
  for (const [, amount, unit] of text.matchAll(part)) ms += Number(amount) * (unitMs[unit!] ?? 0)
  return text.startsWith('-') ? -ms : ms
}

/** Go's shortest form without empty units: 90_000 → "1m30s", 1_200_000 → "20m". Rounds to milliseconds. */
export function formatDuration(ms: number): string {
  const sign = ms < 0 ? '-' : ''
  let rest = Math.round(Math.abs(ms))
  if (rest === 0) return '0s'
  if (rest < 1000) return `${sign}${rest}ms`
  const hours = Math.floor(rest / 3_600_000)
  rest -= hours * 3_600_000
  const minutes = Math.floor(rest / 60_000)
  rest -= minutes * 60_000
  return sign + (hours ? `${hours}h` : '') + (minutes ? `${minutes}m` : '') + (rest ? `${rest / 1000}s` : '')
}
