// The machine's clock is set while its script runs, as NTP does soon after a boot: no wait gets shorter or longer.
import { afterEach, describe, expect, it } from 'vitest'
import { rendered, ScriptVms } from '../../support/script-vm.ts'
import { until } from '../../support/server.ts'

const vms = new ScriptVms()
afterEach(() => vms.close())

const day = 86_400
/** bash counts by the clock. Here its count jumps, as it does when the clock is set: at every pause. */
function settingTheClock(script: string, by: number): string {
  const sleep = `sleep() { SECONDS=$((SECONDS + ${by})); command sleep "$@"; }`
  const moved = script.replace('\nset -Eeuo pipefail\n', (line) => `${line}${sleep}\n`)
  if (moved === script) throw new Error('the script does not begin as it did')
  return moved
}

const refusedTwice = `echo >>"$FAKES/tries"; [ "$(grep -c '' "$FAKES/tries")" -lt 3 ] || exit 0
echo 'Connection refused' >&2; exit 1`

describe.runIf(process.platform === 'linux')('a change of the clock', () => {
  it('a day ahead does not end the wait for TLS, nor the watch', async () => {
    const vm = vms.create({ openssl: refusedTwice })
    const script = settingTheClock(await rendered({}), day)
    const { status, stages, output } = await vm.runScript(script)
    expect({ status, last: stages.at(-1) }, output).toEqual({ status: 0, last: 'agent_started' })
    expect(vm.read('dev/console')).not.toContain('never_joined')
    expect(vm.tools.calls('shutdown')).toEqual([])
  })

  it('a day back does not make the wait for TLS longer', async () => {
    const vm = vms.create({ openssl: `echo 'Connection refused' >&2; exit 1` })
    const script = settingTheClock(await rendered({ bootTimeoutSeconds: 17 }), -day)
    const { status, stages, output } = await vm.runScript(script)
    expect({ status, last: stages.at(-1) }, output).toEqual({ status: 30 + 2, last: 'tls_refused' })
  }, 20_000)

  it('a day back does not make the watch longer', async () => {
    const vm = vms.create()
    await vm.runScript(settingTheClock(await rendered({ bootTimeoutSeconds: 2 }), -day))
    await until(() => vm.read('dev/console').includes('PROVISION_STAGE=never_joined'), 'never_joined')
  })
})
