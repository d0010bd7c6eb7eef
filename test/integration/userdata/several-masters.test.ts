// The script of a pool with several addresses of masters: which it tries, what it says about each, what agents get.
import { afterEach, describe, expect, it } from 'vitest'
import { type FailureStage, failureStages } from '../../../src/agent-setup/stages.ts'
import { type SetupChanges, trustPlan } from '../../support/agent-setups.ts'
import { ScriptVms } from '../../support/script-vm.ts'

const vms = new ScriptVms()
afterEach(() => vms.close())

const refused = 'BIO_connect:Connection refused'
const wrongName = 'verify error:num=62:hostname mismatch'
const unknownCa = 'verify error:num=20:unable to get local issuer certificate'
const hanging = ''

/** `openssl` by the host it connects to: a text is a failure with it, true an answer. */
function answers(a: string | true, b: string | true): string {
  const branch = (what: string | true) =>
    what === true ? 'exit 0' : what === hanging ? 'exit 124' : `cat >&2 <<'TEXT'\n${what}\nTEXT\nexit 1`
  return `case "$*" in\n*master-a.example.com:8443)\n${branch(a)}\n;;\n*)\n${branch(b)}\n;;\nesac`
}

const several = {
  trust: trustPlan('embed'),
  master: { host: 'master-a.example.com' },
  otherMasters: [{ scheme: 'https', host: 'master-b.example.com', port: 9443 }],
} satisfies SetupChanges
/** Too short for a second round. */
const oneRound = { ...several, bootTimeoutSeconds: 24 }

describe('the check of several masters', () => {
  it('ends with the first that works', async () => {
    const vm = vms.create({ openssl: answers(true, true) })
    const { status, stages } = await vm.run(oneRound)
    expect([status, stages.filter((stage) => stage === 'tls_checked')]).toEqual([0, ['tls_checked']])
    expect(vm.tools.calls('openssl')).toHaveLength(1)
  })

  it.each([
    ['does not listen', refused],
    ['hangs', hanging],
    ['has the certificate of another name', wrongName],
    ['has the certificate of an unknown CA', unknownCa],
  ])('passes when one %s and the other works', async (_, text) => {
    for (const openssl of [answers(text, true), answers(true, text)]) {
      const { status, stages } = await vms.create({ openssl }).run(oneRound)
      expect([status, stages.includes('tls_checked')]).toEqual([0, true])
    }
  })

  it('verifies each by its own host, unless there is one name for all', async () => {
    const names = async (changes: SetupChanges) => {
      const vm = vms.create({ openssl: answers(refused, true) })
      await vm.run(changes)
      return vm.tools.calls('openssl').map(({ args }) => {
        const given = (option: string) => args[args.indexOf(option) + 1]
        return [given('-connect'), given('-verify_hostname'), given('-servername')]
      })
    }
    expect(await names(oneRound)).toEqual([
      ['master-a.example.com:8443', 'master-a.example.com', 'master-a.example.com'],
      ['master-b.example.com:9443', 'master-b.example.com', 'master-b.example.com'],
    ])
    const one = 'master.example.com'
    expect(await names({ ...oneRound, trust: trustPlan('embed', one) })).toEqual([
      ['master-a.example.com:8443', one, one],
      ['master-b.example.com:9443', one, one],
    ])
  })

  it('verifies addresses as such, IPv6 without its brackets', async () => {
    const vm = vms.create({ openssl: `case "$*" in *10.0.0.5:*) echo '${refused}'; exit 1 ;; esac` })
    await vm.run({
      ...oneRound,
      master: { host: '10.0.0.5' },
      otherMasters: [{ scheme: 'https', host: 'fd00::6', port: 9443 }],
    })
    const calls = vm.tools.calls('openssl').map(({ args }) => args.slice(args.indexOf('-verify_ip')))
    expect(calls).toEqual([
      ['-verify_ip', '10.0.0.5', '-connect', '10.0.0.5:8443'],
      ['-verify_ip', 'fd00::6', '-connect', '[fd00::6]:9443'],
    ])
  })

  it.each([
    ['a name first', 'master-a.example.com', 'fd00::5'],
    ['an address first', 'fd00::5', 'master-a.example.com'],
    ['addresses only', '10.0.0.5', 'fd00::5'],
  ])('asks each at its URL without openssl: %s', async (_, first, second) => {
    const inUrl = (host: string) => (host.includes(':') ? `[${host}]` : host)
    for (const mode of ['skip_verify', 'embed'] as const) {
      const curl = `case "$*" in *:8443/info) echo 'Connection refused'; exit 7 ;; esac`
      const vm = vms.create({ openssl: undefined, curl })
      await vm.run({
        ...oneRound,
        trust: trustPlan(mode),
        master: { host: first },
        otherMasters: [{ scheme: 'https', host: second, port: 9443 }],
      })
      const calls = vm.tools
        .calls('curl')
        .filter(({ args }) => args.includes('--connect-to'))
        .map(({ args }) => args.slice(args.indexOf('--connect-to') + 1))
      expect(calls).toEqual([
        [`::${inUrl(first)}:8443`, `https://${inUrl(first)}:8443/info`],
        [`::${inUrl(second)}:9443`, `https://${inUrl(second)}:9443/info`],
      ])
    }
  })

  it.each<[FailureStage, string, string]>([
    ['tls_refused', refused, refused],
    ['tls_refused', refused, hanging],
    ['tls_unreachable', hanging, refused],
    ['tls_wrong_name', refused, wrongName],
    ['tls_wrong_name', wrongName, refused],
    ['tls_wrong_name', wrongName, unknownCa],
  ])('fails with %s when none works, and says about each why', async (stage, a, b) => {
    const { status, stages, output } = await vms.create({ openssl: answers(a, b) }).run(oneRound)
    expect([stages.at(-1), status], output).toEqual([stage, failureStages[stage].exit])
    const said = output.split('\n').find((line) => line.includes(`PROVISION_STAGE=${stage}`))
    expect(said).toContain(`master-a.example.com:8443 as master-a.example.com: ${a}`)
    expect(said).toContain(`; master-b.example.com:9443 as master-b.example.com: ${b}`)
  })

  it('does not end the boot while one of them may still come', async () => {
    const openssl = `case "$*" in
*master-b*) echo >>"$FAKES/tries"; [ "$(grep -c '' "$FAKES/tries")" -lt 3 ] || exit 0; echo '${refused}'; exit 1 ;;
*) echo '${wrongName}'; exit 1 ;;
esac`
    const { status, stages, output } = await vms.create({ openssl }).run(several)
    expect([status, stages.includes('tls_checked')]).toEqual([0, true])
    const waits = output.match(
      /tls_wrong_name at master-a.example.com:8443, tls_refused at master-b.example.com:9443, trying again/g,
    )
    expect(waits).toHaveLength(2)
  })

  it('ends it at once when no fault will pass', async () => {
    const { status, output } = await vms.create({ openssl: answers(unknownCa, wrongName) }).run(several)
    expect(status).toBe(failureStages.tls_unknown_ca.exit)
    expect(output).not.toContain('trying again')
  })
})

describe('the agent', () => {
  it('gets all addresses, and the first as its master', async () => {
    const vm = vms.create({ openssl: answers(true, true) })
    await vm.run(several)
    const { args } = vm.tools.calls('docker').find((call) => call.args[0] === 'run')!
    expect(args).toContain('DET_MASTER_ADDRESSES=master-a.example.com:8443,master-b.example.com:9443')
    expect(args).toContain('DET_MASTER_HOST=master-a.example.com')
    expect(args).toContain('DET_MASTER_PORT=8443')
  })

  it('gets no list where there is one', async () => {
    const vm = vms.create()
    await vm.run({})
    expect(
      vm.tools
        .calls('docker')
        .flatMap(({ args }) => args)
        .join(' '),
    ).not.toContain('ADDRESSES')
  })
})
