// Runs in a project with another version of zod: one provider with a schema of our `z`, and of each kind of its own.
import { writeFileSync } from 'node:fs'
import { type AnyProvider, loadConfig, prepareAll, standardProviderBlock } from 'dynamic-agent-provisioner'
import { z as z3 } from 'zod/v3'
import * as z4 from 'zod/v4'
import { rack } from '../../../examples/provider/rack.ts'

const description = 'Machines of our rack.'
const newer = z4.object({ folder: z4.string(), model: z4.enum(['r2', 'r8']).default('r2') })
/** Has no JSON Schema itself. */
const older = z3.object({ folder: z3.string(), model: z3.enum(['r2', 'r8']).default('r2') })
const keys = z4.toJSONSchema(newer, { io: 'input' })

const providers: Record<string, AnyProvider> = {
  ours: rack,
  'zod 4': { ...rack, ...standardProviderBlock({ kind: 'rack', description, schema: newer, keys }) },
  'zod 3': { ...rack, ...standardProviderBlock({ kind: 'rack', description, schema: older, keys }) },
}

function read(provider: AnyProvider, ...lines: string[]) {
  const block = ['type: rack', 'master_url: http://127.0.0.1:8080', ...lines]
  const head = 'demand: {type: push}\nresource_pools:\n  - pool_name: p\n    provider:\n'
  writeFileSync('read.yaml', head + block.map((line) => `      ${line}\n`).join(''))
  const { config, problems } = loadConfig('read.yaml', { providers: [provider] })
  return { config, errors: problems.filter(({ severity }) => severity === 'error') }
}

const results: Record<string, unknown> = {}
for (const [name, provider] of Object.entries(providers)) {
  const { config, errors } = read(provider, 'preflight: off', 'folder: machines')
  if (!config) throw new Error(`${name}: ${errors.map(({ message }) => message).join('\n')}`)
  const { plans } = await prepareAll(config, { now: Date.now(), providers: [provider] })
  const { request, userData } = plans[0]!
  results[name] = {
    refused: read(provider, 'preflight: off', 'folder: machines', 'foldr: machines').errors.map(
      ({ code, where, remedy }) => `${code} ${where?.line}:${where?.column} ${remedy}`,
    ),
    wrong: read(provider, 'folder: machines', 'model: r3').errors.map(
      ({ where }) => `${where?.line}:${where?.column}`,
    ),
    model: provider.offerings(config.resource_pools[0]!.provider!)[0]?.instanceType,
    body: request?.body,
    agentId: userData?.script.split('\n').find((line) => line.startsWith('export DET_AGENT_ID=')),
  }
}
console.log(JSON.stringify(results))
