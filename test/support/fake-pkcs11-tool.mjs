// In place of pkcs11-tool: a token in a file, `token.json` beside this program, with what the test wants it to do. Each call is written
// down in `calls.jsonl`.
import { spawn } from 'node:child_process'
import { createECDH, createPrivateKey } from 'node:crypto'
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = process.env.FAKE_TOKEN
const token = JSON.parse(readFileSync(join(folder, 'token.json'), 'utf8'))
const args = process.argv.slice(2)
const after = (name) => args[args.indexOf(name) + 1]
const [, variable] = after('--pin').split('env:')
appendFileSync(join(folder, 'calls.jsonl'), `${JSON.stringify({ args, pin: process.env[variable] })}\n`)

function fail(...lines) {
  process.stderr.write(`${lines.join('\n')}\nAborting.\n`)
  process.exit(1)
}

if (token.does === 'hang') await new Promise((resolve) => setTimeout(resolve, 600_000))
if (token.does === 'leave') {
  // It holds the output when this program has ended.
  spawn(process.execPath, ['-e', 'setTimeout(() => {}, 3000)'], { stdio: 'inherit', detached: true })
  process.exit(0)
}
if (token.does === 'fail')
  fail('Using slot 0', 'error: PKCS11 function C_Sign failed: rv = CKR_DEVICE_ERROR (0x30)')
if (token.does === 'not load')
  fail('sc_dlopen failed: x: invalid ELF header', 'error: Failed to load pkcs11 module')
if (after('--token-label') !== 'provision') {
  process.stderr.write(`No slot with token named "${after('--token-label')}" found\n`)
  process.exit(1)
}
if (token.locked) fail('error: PKCS11 function C_Login failed: rv = CKR_PIN_LOCKED (0xa4)')
if (process.env[variable] !== token.pin)
  fail('error: PKCS11 function C_Login failed: rv = CKR_PIN_INCORRECT (0xa0)')
if (args.includes('--list-objects')) {
  for (const { label, id } of token.keys)
    process.stdout.write(
      `Private Key Object; EC\n  label:      ${label}\n${id ? `  ID:         ${id}\n` : ''}  Usage:      sign\n`,
    )
  process.stdout.write('Public Key Object; EC  EC_POINT 256 bits\n  label:      public\n  ID:         77\n')
  process.exit(0)
}
const key = token.keys.find(({ id }) => id === after('--id'))
if (!key) fail('error: Private key not found')
const digest = readFileSync(0)
if (digest.length !== 32) fail(`error: ${digest.length} bytes are no digest`)
process.stderr.write('Using signature algorithm ECDSA\n')
process.stdout.write(token.does === 'short' ? 'no signature' : ecdsa(key.pem, digest))

/** Node signs only what it has hashed itself. */
function ecdsa(pem, digest) {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const number = (bytes) => BigInt(`0x${bytes.toString('hex')}`)
  const power = (base, exponent) => {
    let [result, square] = [1n, base]
    for (let left = exponent; left > 0n; left >>= 1n) {
      if (left & 1n) result = (result * square) % order
      square = (square * square) % order
    }
    return result
  }
  const secret = number(Buffer.from(createPrivateKey(pem).export({ format: 'jwk' }).d, 'base64url'))
  const once = createECDH('prime256v1')
  const r = number(once.generateKeys().subarray(1, 33)) % order
  const s = (power(number(once.getPrivateKey()), order - 2n) * (number(digest) + r * secret)) % order
  return Buffer.from([r, s].map((one) => one.toString(16).padStart(64, '0')).join(''), 'hex')
}
