// The table of metrics in docs/operate/operations.md.
import { type MetricInfo, metricTable } from '../src/platform/metrics.ts'

export function metricsTable(): string {
  const rows = Object.entries(metricTable as Record<string, MetricInfo>).map(
    ([name, { kind, help, labels }]) => {
      const full = `provisioner_${name}${kind === 'counter' ? '_total' : ''}`
      return `| \`${full}\` | ${kind} | ${labels.join(', ')} | ${help} |`
    },
  )
  return ['| metric | kind | labels | meaning |', '|---|---|---|---|', ...rows].join('\n')
}
