// GPUs on EC2. There are none here: a hook replaces NVIDIA's container toolkit when docker is asked for GPUs, with a
// made-up GPU. docker and runc, which find and call it, are real.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { UserData } from '../../src/agent-setup/pack.ts'
import type { TestMaster } from '../support/master.ts'
import { Site } from './support/site.ts'

/** Called by runc before a container starts, with the container's state on its input; adds the driver's tool to it. */
const hook = `#!/bin/sh
bundle=$(sed -n 's/.*"bundle": *"\\([^"]*\\)".*/\\1/p')
root=$(sed -n 's/.*"root":{"path":"\\([^"]*\\)".*/\\1/p' "$bundle/config.json")
grep -o '"NVIDIA_VISIBLE_DEVICES=[a-z]*"' "$bundle/config.json" >/srv/asked-for
cat >"$root/usr/bin/nvidia-smi" <<'E'
#!/bin/sh
case "$*" in
  *mig.mode*) echo '[N/A]' ;;
  *index,name,uuid*) echo '0, NVIDIA A10G, GPU-5e9b1d4c-0000-4000-8000-000000000001' ;;
esac
E
chmod 755 "$root/usr/bin/nvidia-smi"
`

let site: Site
let master: TestMaster
let userData: UserData
beforeAll(async () => {
  site = await Site.open()
  master = await site.master()
  const pool = { cloud: 'aws', port: master.listener.port, certificates: master.chain.chain } as const
  userData = await site.userData({ ...pool, provider: { instance_type: 'g5.xlarge' } })
})
afterAll(() => site?.dispose())

describe.concurrent('an EC2 machine with GPUs', () => {
  it('gives all of them to its agent, which reports them to the master', async () => {
    const files = { 'usr/bin/nvidia-container-runtime-hook': hook }
    const { machine, id } = site.launch('aws', userData, files)
    const agent = await site.joined(machine, master, id)
    expect(agent.devices).toMatchObject([{ type: 'cuda', brand: 'NVIDIA A10G' }])
    expect(machine.disk('srv/asked-for')).toBe('"NVIDIA_VISIBLE_DEVICES=all"\n')
  })

  it('powers itself off when docker has no NVIDIA runtime', async () => {
    const { machine, id } = site.launch('aws', userData)
    expect(await site.lastStage(machine), machine.describe()).toBe('no_nvidia_runtime')
    expect(master.master.agents().some((agent) => agent.id === id)).toBe(false)
  })
})
