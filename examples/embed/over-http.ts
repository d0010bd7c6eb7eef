// The same master, with the provisioner in a process of its own: demand is pushed to its listener, and the responses list the drains.
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { setTimeout as wait } from 'node:timers/promises'
import { loadConfig } from 'dynamic-agent-provisioner'
import { startTinyMaster } from './tiny-master.ts'

const { config, problems } = loadConfig('master.yaml')
if (!config) throw new Error(problems.map(({ code, message }) => `${code}: ${message}`).join('\n'))
const { cert, key } = config.security.tls!
const tls = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key!, 'utf8') }
const master = await startTinyMaster(tls, config.port)
// `provision` creates it at its first start.
const token = readFileSync(`${config.state_dir}/token`, 'utf8').trim()

interface Orders {
  drain: string[]
  drainVersion: string
}

function put(path: string, body: object): Promise<Orders> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port: config!.listen!.port,
        servername: 'master.local.example',
        ca: tls.cert,
        method: 'PUT',
        path,
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      },
      async (response) => {
        let text = ''
        for await (const part of response.setEncoding('utf8')) text += part
        if (response.statusCode === 200) resolve(JSON.parse(text) as Orders)
        else reject(new Error(`${response.statusCode}: ${text}`))
      },
    )
    sent.on('error', reject)
    sent.end(JSON.stringify(body))
  })
}

for (const id of ['a', 'b', 'c', 'd']) master.submit(id, { slots: 1, seconds: 1 })

// One push at a time. The next push includes the drains of the last response, and its version.
let orders: Orders | undefined
let quiet = 0
while (quiet < 3) {
  const demand = master.demand()
  orders = await put('/v1/pools/default/demand', { ...demand, drainVersion: orders?.drainVersion })
  for (const { id } of demand.agents) orders.drain.includes(id) ? master.drain(id) : master.undrain(id)
  const isQuiet = master.left === 0 && demand.agents.every(({ connected }) => !connected)
  quiet = isQuiet ? quiet + 1 : 0
  await wait(500)
}
console.log('all work is done, and every agent is gone')
await master.close()
