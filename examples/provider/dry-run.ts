// What a launch on the rack would send, and the script its machines would run. Starts nothing.
import { loadConfig, prepareAll } from 'dynamic-agent-provisioner'
import { rack } from './rack.ts'

const providers = [rack]
const { config, problems } = loadConfig('master.yaml', { providers })
if (!config) throw new Error(problems.map(({ message }) => message).join('\n'))

const { plans } = await prepareAll(config, { now: Date.now(), providers })
for (const { pool, request, userData, problems } of plans) {
  for (const { code, message } of problems) console.log(`${code}: ${message}`)
  console.log(pool.pool_name, JSON.stringify(request, undefined, 2))
  console.log(userData?.script.match(/^export DET_.*/gm)?.join('\n'))
}
