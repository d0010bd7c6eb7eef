// What EC2 does with user data, and its emulators do not: each VM runs it when it starts and is gone when it is ended.
// The script is run by bash in a scratch VM; the agent it starts is the built-in one, a process on this machine.
import { gunzipSync } from 'node:zlib'
import {
  DescribeInstanceAttributeCommand,
  DescribeInstancesCommand,
  type EC2Client,
} from '@aws-sdk/client-ec2'
import { type ScriptVm, ScriptVms, stagesIn } from './script-vm.ts'

export interface Ec2Vms {
  /** The script each VM found in its user data, by instance id; ended VMs too. */
  scripts: ReadonlyMap<string, string>
  /** Those that run now. */
  running(): string[]
  stagesOf(id: string): string[]
  /** Ends all. */
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

  async function look(): Promise<void> {
    // An endpoint that refuses listings is no reason for VMs to end.
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

  async function keepLooking(): Promise<void> {
    while (!stopping.signal.aborted) {
      await look()
      await new Promise((resolve) => setTimeout(resolve, everyMs))
    }
  }

  const looking = keepLooking()
  return {
    scripts,
    running: () => [...booted.keys()],
    stagesOf: (id) => stagesIn(booted.get(id)?.output() ?? ''),
    async close() {
      stopping.abort()
      await looking.finally(() => vms.close())
    },
  }
}

/** cloud-init runs a script as it is, and unpacks one that is compressed. */
function scriptIn(userData: Buffer): string {
  const packed = userData[0] === 0x1f && userData[1] === 0x8b
  return (packed ? gunzipSync(userData) : userData).toString('utf8')
}
