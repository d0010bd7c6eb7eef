// The output of openssl and curl, and the stage that the script derives from it. The texts are those of OpenSSL 1.1.1,
// 3.0
// and 3.5 and of curl 7.74 to 8.14; test/tools/userdata/tls-faults.test.ts runs the real ones.
import { afterEach, describe, expect, it } from 'vitest'
import { type FailureStage, failureStages } from '../../../src/agent-setup/stages.ts'
import { exampleChain, type SetupChanges, trustPlan } from '../../support/agent-setups.ts'
import { rendered, ScriptVms } from '../../support/script-vm.ts'

const vms = new ScriptVms()
afterEach(() => vms.close())

/** Long enough for the agent, too short for a second attempt. */
const oneTry = { bootTimeoutSeconds: 14 }
const metadata = 'case "$*" in *169.254*) printf i-1 && exit ;; esac\n'

/** A tool that prints this and exits with this status. */
function says(text: string, status: number): string {
  return `cat <<'TEXT' >&2\n${text}\nTEXT\nexit ${status}`
}

function verifyError(number: number, text: string): string {
  return `depth=0 CN = alert-manager, O = "not known"
verify error:num=${number}:${text}
40E7BB4BEF7F0000:error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:../ssl/statem/statem_clnt.c:1889:`
}

const verified = 'depth=1 CN = ca\nverify return:1\ndepth=0 CN = m\nverify return:1\n'
const opensslSays: [FailureStage, string, number][] = [
  [
    'tls_dns',
    'BIO_lookup_ex:system lib:../crypto/bio/bio_addr.c:746:Name or service not known\nconnect:errno=2',
    1,
  ],
  ['tls_dns', 'BIO_lookup_ex:system lib:crypto/bio/bio_addr.c:738:Temporary failure in name resolution', 1],
  ['tls_unreachable', '', 124],
  [
    'tls_unreachable',
    'error:02002071:system library:connect:No route to host:b_sock2.c:110:\nconnect:errno=113',
    1,
  ],
  [
    'tls_unreachable',
    'error:80000065:system library:BIO_connect:Network is unreachable\nconnect:errno=101',
    1,
  ],
  ['tls_refused', 'error:8000006F:system library:BIO_connect:Connection refused:\nconnect:errno=111', 1],
  ['tls_not_tls', 'error:1408F10B:SSL routines:ssl3_get_record:wrong version number:ssl3_record.c:332:', 1],
  ['tls_not_tls', 'error:0A0000C6:SSL routines:tls_get_more_records:packet length too long:', 1],
  ['tls_unknown_ca', verifyError(19, 'self-signed certificate in certificate chain'), 1],
  ['tls_unknown_ca', verifyError(20, 'unable to get local issuer certificate'), 1],
  ['tls_unknown_ca', verifyError(18, 'self signed certificate'), 1],
  ['tls_unknown_ca', verifyError(2, 'unable to get issuer certificate'), 1],
  ['tls_wrong_name', verifyError(62, 'hostname mismatch'), 1],
  ['tls_wrong_name', verifyError(64, 'IP address mismatch'), 1],
  ['tls_expired', verifyError(10, 'certificate has expired'), 1],
  ['tls_not_yet_valid', verifyError(9, 'certificate is not yet valid'), 1],
  ['tls_bad_certificate', verifyError(26, 'unsuitable certificate purpose'), 1],
  ['tls_bad_certificate', verifyError(66, 'EE certificate key too weak'), 1],
  ['tls_handshake_failed', 'error:0A000126:SSL routines:ssl3_read_n:unexpected eof while reading:', 1],
  ['tls_handshake_failed', 'write:errno=104', 1],
  [
    'tls_handshake_failed',
    'error:0A00042E:ssl3_read_bytes:tlsv1 alert protocol version:SSL alert number 70',
    1,
  ],
  ['tls_handshake_failed', `${verified}error:0A000410:ssl3_read_bytes:sslv3 alert handshake failure:`, 1],
  [
    'tls_client_certificate',
    `${verified}error:0A00045C:tlsv13 alert certificate required:SSL alert number 116`,
    1,
  ],
]

const curlSays: [FailureStage, string, number][] = [
  ['tls_dns', 'curl: (6) Could not resolve host: 10.0.0.5\nnum=0:', 6],
  ['tls_unreachable', 'curl: (28) Connection timed out after 10001 milliseconds\nnum=1:', 28],
  [
    'tls_unreachable',
    "curl: (7) Failed to connect to 10.0.0.5 port 8443: Couldn't connect to server\nnum=0:",
    7,
  ],
  ['tls_refused', 'curl: (7) Failed to connect to 10.0.0.5 port 8443: Connection refused\nnum=0:', 7],
  ['tls_not_tls', 'curl: (35) error:0A00010B:SSL routines::wrong version number\nnum=1:', 35],
  [
    'tls_unknown_ca',
    'curl: (60) SSL certificate problem: unable to get local issuer certificate\nnum=20:',
    60,
  ],
  [
    'tls_wrong_name',
    'curl: (60) SSL: no alternative certificate subject name matches target host name\nnum=1:',
    60,
  ],
  ['tls_expired', 'curl: (60) SSL certificate problem: certificate has expired\nnum=10:', 60],
  ['tls_not_yet_valid', 'curl: (60) SSL certificate problem: certificate is not yet valid\nnum=9:', 60],
  ['tls_bad_certificate', 'curl: (60) SSL certificate problem: unsuitable certificate purpose\nnum=26:', 60],
  ['tls_bad_certificate', 'curl: (60) SSL: verification failed in another library\nnum=0:', 60],
  ['tls_handshake_failed', 'curl: (35) OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection\nnum=1:', 35],
  [
    'tls_client_certificate',
    'curl: (56) error:0A00045C:tlsv13 alert certificate required, errno 0\nnum=0:',
    56,
  ],
]

/** Only the script's own check, once for each text: its result for the output of the tool. */
async function verdicts(tool: 'openssl' | 'curl', table: typeof opensslSays): Promise<string[]> {
  const script = await rendered({})
  const check = script.slice(script.indexOf('\nNAME='), script.indexOf('\ndone\n') + 6)
  const cases = table.map(
    ([, text, status]) => `(${tool}() { ${says(text, status).replace('exit', 'return')}; }; check)`,
  )
  const tools = tool === 'openssl' ? 'timeout() { shift && "$@"; }' : 'type() { return 1; }'
  const vm = vms.create()
  const { output } = await vm.runScript(`set -Eeuo pipefail; ROOT= HOME=/ BOOT_TIMEOUT=0
DET_MASTER_HOST=10.0.0.5 DET_MASTER_PORT=8443
elapsed() { echo 0; }
stage() { echo "VERDICT $1"; }; fail() { echo "VERDICT $1" && exit; }; ${tools}
check() {\n${check}}\n${cases.join('\n')}`)
  return Array.from(output.matchAll(/^VERDICT (.*)$/gm), ([, verdict]) => verdict!)
}

const withStatus = (stage: FailureStage) => `${stage} ${failureStages[stage].exit}`

describe('an error of TLS has a stage', () => {
  it.each([
    ['openssl', opensslSays],
    ['curl', curlSays],
  ] as const)('whatever %s says about it', async (tool, table) => {
    expect(await verdicts(tool, table)).toEqual(table.map(([stage]) => withStatus(stage)))
    const tls = Object.keys(failureStages).filter((stage) => stage.startsWith('tls_'))
    expect([...new Set<string>(table.map(([stage]) => stage))].sort()).toEqual(tls.sort())
  })

  const firsts = opensslSays.filter(([stage], at, all) => all.findIndex((other) => other[0] === stage) === at)
  it.each(firsts)('and ends the script before the agent starts: %s', async (stage, text, status) => {
    const vm = vms.create({ openssl: says(text, status) })
    const run = await vm.run(oneTry)
    expect([run.stages.at(-1), run.status], run.output).toEqual([stage, failureStages[stage].exit])
    const said = vm.read('dev/console').replace(/: this clock says \S+Z(?=: )/, '')
    expect(said).toContain(
      `PROVISION_STAGE=${stage} 10.0.0.5:8443 as determined-master.example.com: ${text.split('\n')[0]}`,
    )
    expect(vm.tools.calls('docker').map(({ args }) => args[0])).not.toContain('run')
    expect(vm.tools.calls('shutdown')).toHaveLength(1)
  })
})

describe('what counts as a response over TLS', () => {
  it.each([
    ['a peer that says goodbye', says(verified, 0)],
    ['a peer that just closes', says(`${verified}error:0A000126:unexpected eof while reading:`, 1)],
    ['a peer that does not speak HTTP', says(verified, 124)],
  ])('%s', async (_, openssl) => {
    const { status, stages } = await vms.create({ openssl }).run(oneTry)
    expect([status, stages.includes('tls_checked')]).toEqual([0, true])
  })
})

describe('the request to the master, and its verification', () => {
  it('by openssl: only the embedded chain, and the certificate name', async () => {
    const vm = vms.create()
    await vm.run({})
    const [call] = vm.tools.calls('openssl')
    expect(call!.args).toEqual([
      ...['s_client', '-quiet', '-CAfile', `${vm.root}/usr/local/determined/master.crt`, '-partial_chain'],
      ...['-verify_return_error', '-verify_hostname', 'determined-master.example.com'],
      ...['-servername', 'determined-master.example.com', '-connect', '10.0.0.5:8443'],
    ])
  })

  it('by curl: the same, bypassing any proxy', async () => {
    const vm = vms.create({ openssl: undefined, curl: metadata })
    await vm.run({})
    const call = vm.tools.calls('curl').find(({ args }) => args.includes('--connect-to'))
    expect(call!.args).toEqual([
      ...['-sSm', '10', '--noproxy', '*', '--tlsv1.2', '-w', 'num=%{ssl_verify_result}:'],
      ...['--cacert', `${vm.root}/usr/local/determined/master.crt`],
      ...['--capath', `${vm.root}/usr/local/determined`, '--connect-to', '::10.0.0.5:8443'],
      'https://determined-master.example.com:8443/info',
    ])
  })

  it.each([
    ['10.0.0.5', 'https://10.0.0.5:8443/info'],
    ['fd00::5', 'https://[fd00::5]:8443/info'],
  ])('an address for a name (%s)', async (address, url) => {
    const vm = vms.create()
    await vm.run({ trust: trustPlan('embed', address) })
    expect(vm.tools.calls('openssl')[0]!.args).toContain('-verify_ip')
    expect(vm.tools.calls('openssl')[0]!.args).not.toContain('-servername')
    const other = vms.create({ openssl: undefined, curl: metadata })
    await other.run({ trust: trustPlan('embed', address) })
    expect(other.tools.calls('curl').at(-1)!.args.at(-1)).toBe(url)
  })

  it('no verification if it is off', async () => {
    const trust = trustPlan('skip_verify', 'm.example.com')
    const vm = vms.create({ openssl: says('verify error:num=18:self signed\nverify return:1', 0) })
    expect((await vm.run({ trust, ...oneTry })).status).toBe(0)
    expect(vm.tools.calls('openssl')[0]!.args).not.toContain('-verify_return_error')
    const other = vms.create({ openssl: undefined, curl: metadata })
    await other.run({ trust, ...oneTry })
    expect(other.tools.calls('curl').at(-1)!.args).toContain('--insecure')
  })
})

describe('with trust: system', () => {
  const unknownCa = says(verifyError(20, 'unable to get local issuer certificate'), 1)
  const [leaf] = exampleChain()

  it.each([
    ['openssl', { openssl: unknownCa }],
    [
      'curl',
      { openssl: undefined, curl: `${metadata}${says('curl: (60) SSL certificate problem\nnum=20:', 60)}` },
    ],
  ])('an unknown CA ends the boot, by %s, and the list that was asked is named', async (_, tools) => {
    const vm = vms.create(tools)
    vm.write('etc/ssl/cert.pem', leaf!.pem)
    const trust = trustPlan('system', 'm.example.com')
    const { status, output } = await vm.run({ trust, ...oneTry })
    expect(status).toBe(failureStages.tls_unknown_ca.exit)
    expect(output).toContain(
      `not from a CA of ${vm.root}/etc/ssl/cert.pem: add its CA by startup_script, or set tls.ca_file.`,
    )
  })

  it.each([
    ['its own list and the root', true, /not from a CA of \S+cert\.pem or the embedded root: add/],
    ['the root alone', false, /not from a CA of this instance or the embedded root: add/],
  ])('%s are named', async (_, hasList, text) => {
    const vm = vms.create({ openssl: unknownCa })
    if (hasList) vm.write('etc/ssl/cert.pem', leaf!.pem)
    const trust = { ...trustPlan('system', 'm.example.com'), wellKnownRoot: exampleChain()[2] }
    expect((await vm.run({ trust, ...oneTry })).output).toMatch(text)
  })

  it.each(['openssl', 'curl'] as const)(
    '%s uses the list that the agent gets, and nothing else',
    async (tool) => {
      const vm = vms.create({ openssl: tool === 'openssl' ? '' : undefined })
      await vm.run({
        trust: { ...trustPlan('system', 'm.example.com'), wellKnownRoot: exampleChain()[2] },
        ...oneTry,
      })
      const { args } = vm.tools.calls(tool).at(-1)!
      const list = `${vm.root}/usr/local/determined/ca-bundle.crt`
      // Without its own directory, curl also reads the one it was built with.
      if (tool === 'curl')
        expect(args.join(' ')).toContain(`--cacert ${list} --capath ${vm.root}/usr/local/determined `)
      else expect(args.join(' ')).toContain(`-CAfile ${list} -verify_return_error`)
      expect(args).not.toContain('-partial_chain')
    },
  )
})

describe('an expired certificate', () => {
  const expired = says(verifyError(10, 'certificate has expired'), 1)

  it('ends the boot at once if the clock is known to be right', async () => {
    const vm = vms.create({ openssl: expired, timedatectl: 'echo NTPSynchronized=yes' })
    const { status, output } = await vm.run({})
    expect(status).toBe(failureStages.tls_expired.exit)
    expect(output).not.toContain('trying again')
  })

  it('is retried as long as the clock is not set', async () => {
    const timedatectl = `echo >>"$FAKES/asked"; [ "$(grep -c '' "$FAKES/asked")" -lt 4 ]
if [ $? = 0 ]; then echo NTPSynchronized=no; else echo NTPSynchronized=yes; fi`
    const { status, output } = await vms.create({ openssl: expired, timedatectl }).run({})
    expect(status).toBe(failureStages.tls_expired.exit)
    expect(output.match(/tls_expired, trying again/g)).toHaveLength(3)
  })
})

describe('what does not end the boot', () => {
  it.each<[FailureStage, string]>([
    ['tls_dns', 'Temporary failure in name resolution'],
    ['tls_refused', 'Connection refused'],
    ['tls_unreachable', 'connect:errno=113'],
    ['tls_not_yet_valid', verifyError(9, 'certificate is not yet valid')],
    ['tls_expired', verifyError(10, 'certificate has expired')],
    ['tls_handshake_failed', 'unexpected eof while reading'],
  ])('%s, which may mend itself', async (stage, text) => {
    const openssl = `echo >>"$FAKES/tries"; [ "$(grep -c '' "$FAKES/tries")" -lt 3 ] || exit 0\n${says(text, 1)}`
    const { status, stages, output } = await vms.create({ openssl }).run({})
    expect([status, stages.includes('tls_checked'), stages.includes(stage)]).toEqual([0, true, false])
    expect(output.match(new RegExp(`${stage}, trying again`, 'g'))).toHaveLength(2)
  })

  it('a certificate outside its dates, which are reported beside the time of this clock', async () => {
    const openssl = says(
      `${verifyError(10, 'certificate has expired')}\nnotAfter=Nov 27 16:26:00 2026 GMT`,
      1,
    )
    const { output } = await vms.create({ openssl }).run({ bootTimeoutSeconds: 17 })
    const clock = String.raw`this clock says \d{4}-\S+Z, notAfter=Nov 27 16:26:00 2026 GMT`
    expect(output).toMatch(new RegExp(`tls_expired, trying again: ${clock}\n`))
    expect(output).toMatch(new RegExp(`PROVISION_STAGE=tls_expired \\S+ as \\S+: ${clock}: depth=0`))
  })

  it('a CA that only the agent may know, because agent.yaml names a file of its image', async () => {
    const trust = trustPlan('system', 'm.example.com')
    const agentConfig = { security: { tls: { enabled: true, master_cert: '/etc/own.crt' } } }
    const openssl = says(verifyError(20, 'unable to get local issuer certificate'), 1)
    const { status, stages, output } = await vms.create({ openssl }).run({ trust, agentConfig, ...oneTry })
    expect([status, stages.includes('tls_checked')]).toEqual([0, false])
    expect(output).toContain('not a CA of this instance')
  })

  it('a machine that has neither openssl nor curl, which is reported', async () => {
    const local = {
      cloud: 'local',
      runtime: 'process',
      slotType: 'auto',
      command: ['bash', '-c', 'true'],
    } satisfies SetupChanges
    const vm = vms.create({ openssl: undefined, curl: undefined })
    const { output, stages } = await vm.run(local, { PROVISION_INSTANCE_ID: 'local-1' })
    expect(output).toContain('TLS was not tried')
    expect(stages).not.toContain('tls_checked')
  })

  it('an agent that uses a proxy, which the check cannot test', async () => {
    const vm = vms.create({ openssl: says('connect:errno=113', 1) })
    vm.write('home/.docker/config.json', '{"proxies":{"default":{"httpsProxy":"http://proxy:3128"}}}')
    const { status, output } = await vm.run(oneTry, { HOME: `${vm.root}/home` })
    expect(status).toBe(0)
    expect(output).toContain('TLS was not tried')
  })
})
