// Runs user data like EC2, which its emulators do not: each VM runs it when it starts, until it is terminated.
// Bash runs the script in a scratch VM; its agent is the built-in one, a process on this machine.
import { gunzipSync } from 'node:zlib'
import {
  DescribeInstanceAttributeCommand,
  DescribeInstancesCommand,
  type EC2Client,
} from '@aws-sdk/client-ec2'
import { type ScriptVm, ScriptVms, stagesIn } from './script-vm.ts'

export interface Ec2Vms {
  /** The script in each VM's user data, by instance id; also of terminated VMs. */
  scripts: ReadonlyMap<string, string>
  /** The running ones. */
  running(): string[]
  stagesOf(id: string): string[]
  /** Terminates all. */
  close(): Promise<void>
}

interface Booted {
  vm: ScriptVm
  output: () => string
}

const everyMs = 250

/** @param cli the bundled program, whose `agent` stands for `determined-agent` on the VMs */
export function runEc2Vms(ec2: EC2Client, cli: string, tools: Record<string, string> = {}): Ec2Vms {
  const vms = new ScriptVms()
  const booted = new Map<string, Booted>()
  const scripts = new Map<string, string>()
  const stopping = new AbortController()

  async function boot(id: string): Promise<void> {
    const request = { InstanceId: id, Attribute: 'userData' } as const
    const { UserData } = await ec2.send(new DescribeInstanceAttributeCommand(request))
    const script = scriptIn(Buffer.from(UserData?.Value ?? '', 'base64'))
    const vm = vms.create({
      curl: `case "$*" in *api/token*) echo token ;; *meta-data/instance-id*) printf ${id} ;; *) exit 7 ;; esac`,
      'determined-agent': `exec '${process.execPath}' --no-warnings '${cli}' agent "$@"`,
      ...tools,
    })
    scripts.set(id, script)
    const { soFar } = vm.start(script)
    booted.set(id, { vm, output: () => soFar().output })
  }

  async function poll(): Promise<void> {
    // VMs keep running when an endpoint rejects listings.
    const listing = await ec2.send(new DescribeInstancesCommand({})).catch(() => undefined)
    if (!listing) return
    const { Reservations = [] } = listing
    for (const { InstanceId: id = '', State } of Reservations.flatMap(({ Instances = [] }) => Instances)) {
      if (State?.Name === 'running' && !scripts.has(id)) await boot(id)
      if (State?.Name === 'terminated' || State?.Name === 'shutting-down') {
        booted.get(id)?.vm.close()
        booted.delete(id)
      }
    }
  }

  async function keepPolling(): Promise<void> {
    while (!stopping.signal.aborted) {
      await poll()
      await new Promise((resolve) => setTimeout(resolve, everyMs))
    }
  }

  const polling = keepPolling()
  return {
    scripts,
    running: () => [...booted.keys()],
    stagesOf: (id) => stagesIn(booted.get(id)?.output() ?? ''),
    async close() {
      stopping.abort()
      await polling.finally(() => vms.close())
    },
  }
}

/** Like cloud-init: runs a script unchanged, and unpacks a compressed one. */
function scriptIn(userData: Buffer): string {
  const packed = userData[0] === 0x1f && userData[1] === 0x8b
  return (packed ? gunzipSync(userData) : userData).toString('utf8')
}
