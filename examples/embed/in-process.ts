// The provisioner inside a master's own process: VMs are launched for four jobs, and terminated when there are no more.
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { createProvisioner, createPushDemand, loadConfig } from 'dynamic-agent-provisioner'
import { startTinyMaster } from './tiny-master.ts'

const { config, problems } = loadConfig('master.yaml')
if (!config) throw new Error(problems.map(({ code, message }) => `${code}: ${message}`).join('\n'))
const { cert, key } = config.security.tls!
const tls = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key!, 'utf8') }
const master = await startTinyMaster(tls, config.port)

// The provisioner calls back to drain agents; the master pushes its demand, at every change and at least every 5 s.
const demand = createPushDemand({ drain: master.drain, undrain: master.undrain })
const push = () => demand.push('default', master.demand())
push()
master.onChange(push)
const beat = setInterval(push, 3000)

const provisioner = createProvisioner({
  config,
  demand,
  onEvent(event) {
    if (event.kind === 'decided') console.log(`${event.move}: ${event.reason.code}`, ...event.ids)
    else if (event.kind === 'problem') console.log(`${event.problem.code}: ${event.problem.message}`)
    else if (event.kind === 'blocked') console.log('blocked by', ...event.reasons.map(({ code }) => code))
    else console.log(event.kind, ...event.ids)
  },
})
await provisioner.start()
for (const id of ['a', 'b', 'c', 'd']) master.submit(id, { slots: 1, seconds: 1 })

while (master.left > 0 || provisioner.rows().length > 0) await wait(200)
console.log('all work is done, and every VM is gone')
clearInterval(beat)
await provisioner.stop()
await master.close()
