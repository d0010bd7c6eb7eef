// `npm run simulate:rollout -- [--instances 1000] [--bad]`: a rollout of many instances under load, in virtual time. `--bad`: to a
// generation that does not join. Fails when a promise is broken or a job is lost.
import { parseArgs } from 'node:util'
import { rollOut } from '../test/support/rollout-world.ts'

const { values } = parseArgs({
  options: { instances: { type: 'string', default: '1000' }, bad: { type: 'boolean', default: false } },
})
const instances = Number(values.instances)
const hours = values.bad ? 1.5 : 12
const began = performance.now()
const { left, ...story } = await rollOut({
  instances,
  min: Math.floor(instances * 0.9),
  max: Math.floor(instances * 1.1),
  bad: values.bad,
  longest: hours * 3_600_000,
})
console.log({ ...story, left: left.length, seconds: Math.round((performance.now() - began) / 1000) })
const isStopped = values.bad && left.length === 0 && story.forRollout === 1
const isDone = isStopped || (!values.bad && story.outdated === 0)
if (story.violations.length > 0 || story.jobsLost > 0 || !isDone) process.exitCode = 1
