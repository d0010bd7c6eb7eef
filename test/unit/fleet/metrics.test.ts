// The counters of the loop, as Prometheus shows them.
import { expect, it } from 'vitest'
import { createPrometheusMetrics } from '../../../src/platform/metrics.ts'
import { startSettled } from '../../support/pool-bench.ts'

it('a pool counts decisions, launches, refusals, joins and turns', async () => {
  const metrics = createPrometheusMetrics()
  const bench = await startSettled({ maxIdle: 60_000 })
  await bench.fleet.stop()
  bench.restart({ metrics })
  bench.faults.stock = () => 0
  bench.wants(4)
  await bench.pass(5)
  bench.faults.stock = () => 10
  bench.faults.startsAfter = () => 15_000
  await bench.pass(60)
  bench.wants()
  bench.joins(...bench.ids())
  await bench.pass(120)
  const text = await metrics.render()
  for (const line of [
    'provisioner_decisions_total{pool="default",move="launch",reason="WORK_WAITS"} 2',
    'provisioner_decisions_total{pool="default",move="terminate",reason="LONG_IDLE"} 1',
    'provisioner_launch_failures_total{pool="default",class="capacity",offering="on_demand/m4/a"} 1',
    'provisioner_launched_instances_total{pool="default",offering="on_demand/m4/a"} 1',
    'provisioner_launch_reaction_seconds_count{pool="default"} 2',
    'provisioner_join_seconds_count{pool="default",stage="running"} 1',
    'provisioner_join_seconds_count{pool="default",stage="joined"} 1',
  ])
    expect(text).toContain(line)
  const sum = (stage: string) =>
    Number(new RegExp(`join_seconds_sum\\{pool="default",stage="${stage}"\\} (\\S+)`).exec(text)?.[1])
  // It starts after 15 s, and the next listing shows that.
  expect(sum('running')).toBeGreaterThanOrEqual(15)
  expect(sum('running')).toBeLessThan(21)
  expect(sum('joined')).toBeGreaterThan(sum('running'))
  expect(sum('joined')).toBeLessThan(60)
  expect(text).toMatch(/provisioner_turn_seconds_count\{pool="default"\} [1-9]/)
})
