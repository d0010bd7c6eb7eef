// Every step of the script can fail, and each failure has a stage code, an exit status and a line with the reason.
import { afterEach, describe, expect, it } from 'vitest'
import { type FailureStage, failureStages } from '../../../src/agent-setup/stages.ts'
import { joinSetup, type SetupChanges } from '../../support/agent-setups.ts'
import type { ToolBehaviour } from '../../support/fake-tools.ts'
import { isRunning, type ScriptVm, ScriptVms } from '../../support/script-vm.ts'
import { until } from '../../support/server.ts'

const vms = new ScriptVms()
afterEach(() => vms.close())

interface Case {
  stage: FailureStage
  when: string
  setup?: SetupChanges
  tools?: ToolBehaviour
  prepare?: (vm: ScriptVm) => void
  says: string
}

/** A fake docker that works except for one subcommand. */
function docker(subcommand: string, behaviour: string): ToolBehaviour {
  return {
    docker: `case $1 in ${subcommand}) ${behaviour} ;; image) exit 1 ;; inspect) echo true 0 ;; esac`,
  }
}

const joining: SetupChanges = {
  join: joinSetup('https://10.0.0.5:8443', 'master.example.com', 'aws-sts'),
  bootTimeoutSeconds: 20,
}
/** Makes a file for the key, and knows no certificate. */
const openssl = `case $1 in ecparam) : >"\${@: -1}" ;; x509 | pkey) exit 1 ;; base64) cat >/dev/null ;; *) echo 'verify return:1' ;; esac`
/** The metadata server and the endpoint, which refuses. */
const refusing = `
case "$*" in
  *api/token*) echo token ;;
  *ec2-instance*) echo '{"AccessKeyId":"a","SecretAccessKey":"b","Token":"c"}' ;;
  *meta-data*) printf i-1 ;;
  *challenge*)
    while [ "$1" != -o ]; do shift; done
    echo '{"nonce":"n"}' >"$2"
    echo ' status 200' ;;
  *) echo ' status 403' ;;
esac`

const process = { runtime: 'process', slotType: 'none' } as const
const cases: Case[] = [
  {
    stage: 'internal_error',
    when: 'a command that never fails does',
    tools: { ln: 'exit 1' },
    setup: { runtime: 'process', slotType: 'none', command: ['bash', '-c', 'sleep 60'] },
    says: ': ln -s',
  },
  {
    stage: 'disk_not_writable',
    when: 'a folder cannot be made',
    prepare: (vm) => vm.write('etc/determined', 'a file in its place'),
    says: 'etc/determined/agent.yaml could not be written',
  },
  {
    stage: 'startup_script_failed',
    when: 'startup_script ends with a failure',
    setup: { startupScript: '#!/bin/bash\nexit 3' },
    says: 'its exit status is 3',
  },
  {
    stage: 'metadata_unreachable',
    when: 'the metadata server does not answer',
    tools: { curl: 'exit 28' },
    says: 'no instance id',
  },
  {
    stage: 'metadata_unreachable',
    when: "Compute Engine's does not either",
    setup: { cloud: 'gcp' },
    tools: { curl: 'exit 6' },
    says: 'no instance name',
  },
  {
    stage: 'no_docker',
    when: 'docker is not installed',
    tools: { docker: undefined },
    says: 'no docker command',
  },
  {
    stage: 'no_docker',
    when: 'its daemon is down',
    tools: docker('info', 'exit 1'),
    says: 'does not answer',
  },
  {
    stage: 'image_pull_failed',
    when: 'the registry refuses the image',
    tools: docker('pull', "echo 'manifest unknown' >&2; exit 1"),
    says: 'manifest unknown',
  },
  {
    stage: 'no_nvidia_runtime',
    when: 'docker has no NVIDIA runtime',
    tools: docker(
      'run',
      `echo 'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].' >&2; exit 125`,
    ),
    says: 'could not select device driver',
  },
  {
    stage: 'agent_not_started',
    when: 'docker refuses the container',
    tools: docker('run', "echo 'docker: network nowhere not found.' >&2; exit 125"),
    says: 'network nowhere not found',
  },
  {
    stage: 'agent_failed',
    when: 'the container is restarting after 5 seconds',
    tools: docker('inspect', 'echo false 1 ;; logs) echo agent says why >&2'),
    says: 'agent says why',
  },
  {
    stage: 'no_agent_command',
    when: "the agent's command is not on the image",
    setup: { ...process, command: ['no-such-agent', 'run'] },
    says: 'no-such-agent is not on this instance',
  },
  {
    stage: 'agent_failed',
    when: 'the agent process ends at once',
    setup: { ...process, command: ['bash', '-c', 'echo cannot read its configuration; exit 1'] },
    // bash ends within the shortened pause in any case.
    tools: { sleep: 'exec "$REAL_SLEEP" 0.5' },
    says: 'cannot read its configuration',
  },
  {
    stage: 'join_unreachable',
    when: 'nobody answers the request for a certificate',
    setup: joining,
    tools: { openssl },
    says: 'https://10.0.0.5:8443: ',
  },
  {
    stage: 'join_refused',
    when: 'the provisioner issues no certificate',
    setup: joining,
    tools: { openssl, curl: refusing },
    says: 'https://10.0.0.5:8443:  status 403',
  },
  {
    stage: 'proof_unavailable',
    when: 'there is no openssl for a proof',
    setup: joining,
    tools: { openssl: undefined },
    says: 'openssl is not on this instance',
  },
  { stage: 'never_joined', when: 'it never connects', setup: { bootTimeoutSeconds: 0 }, says: 'in 0 s' },
]

describe('a step that fails', () => {
  it.each(cases)('$stage: $when', async ({ stage, setup, tools, prepare, says }) => {
    const vm = vms.create(tools)
    prepare?.(vm)
    const { status, stages, output } = await vm.run(setup ?? {})
    if (stage === 'never_joined') {
      // The watch runs longer than the script, which was done.
      await expect.poll(() => vm.read('dev/console')).toContain(says)
      expect(vm.read('dev/console')).toContain('PROVISION_STAGE=never_joined')
    } else {
      expect({ status, last: stages.at(-1) }).toEqual({ status: failureStages[stage].exit, last: stage })
      expect(output).toContain(says)
      expect(stages.filter((each) => each === stage)).toHaveLength(1)
      expect(vm.read('dev/console')).toContain(`PROVISION_STAGE=${stage}`)
    }
    await expect.poll(() => vm.tools.calls('shutdown').map(({ args }) => args)).toEqual([['-h', 'now']])
  })

  it('leaves the machine running when poweroff_if_never_joined is off, with the failure as its last stage', async () => {
    const vm = vms.create({ docker: undefined })
    const { pid, status } = await vm.run({ poweroffIfNeverJoined: false })
    expect(status).toBe(21)
    await until(() => !isRunning(pid), 'the end of the watch')
    expect(vm.tools.calls('shutdown')).toEqual([])
    expect(vm.read('dev/console')).not.toContain('never_joined')
  })

  it('is in the table above, or an error of TLS (tls-check.test.ts)', () => {
    const others = Object.keys(failureStages).filter((stage) => !stage.startsWith('tls_'))
    expect([...new Set(cases.map(({ stage }) => stage))].sort()).toEqual(others.sort())
  })
})
