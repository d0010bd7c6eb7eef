// The Metrics port in Prometheus' format.
import { describe, expect, it } from 'vitest'
import { createPrometheusMetrics } from '../../../src/platform/metrics.ts'

describe('metrics for Prometheus', () => {
  it('are rendered with their help, their type and their labels', async () => {
    const metrics = createPrometheusMetrics()
    metrics.count('decisions', { pool: 'gpu', move: 'launch', reason: 'WORK_WAITS' }, 3)
    metrics.count('decisions', { pool: 'gpu', move: 'launch', reason: 'WORK_WAITS' })
    metrics.gauge('instances', 2, { pool: 'gpu', state: 'running' })
    metrics.observe('join_seconds', 31, { pool: 'gpu', stage: 'joined' })
    const text = await metrics.render()
    expect(text).toContain('# HELP provisioner_decisions_total Instances that decisions were made about')
    expect(text).toContain('# TYPE provisioner_decisions_total counter')
    expect(text).toContain('provisioner_decisions_total{pool="gpu",move="launch",reason="WORK_WAITS"} 4')
    expect(text).toContain('provisioner_instances{pool="gpu",state="running"} 2')
    expect(text).toContain('provisioner_join_seconds_bucket{le="30",pool="gpu",stage="joined"} 0')
    expect(text).toContain('provisioner_join_seconds_bucket{le="45",pool="gpu",stage="joined"} 1')
    expect(text).toContain('provisioner_join_seconds_sum{pool="gpu",stage="joined"} 31')
    expect(metrics.contentType).toMatch(/^text\/plain; version=0\.0\.4/)
  })

  it('lose the values of a cleared gauge', async () => {
    const metrics = createPrometheusMetrics()
    metrics.gauge('blocked', 1, { pool: 'gpu', reason: 'MAX_REACHED' })
    metrics.clear('blocked')
    expect(await metrics.render()).not.toContain('MAX_REACHED')
  })

  it('of two provisioners in one process are separate', async () => {
    const [one, other] = [createPrometheusMetrics(), createPrometheusMetrics()]
    one.count('failed_instances', { pool: 'gpu' })
    expect(await other.render()).not.toContain('provisioner_failed_instances_total{')
  })

  it('without a description throw', () => {
    expect(() => createPrometheusMetrics().count('made_up')).toThrow(/unknown metric: made_up/)
  })
})
