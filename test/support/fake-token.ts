// A PKCS #11 token for tests, behind a program in place of `pkcs11-tool`.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TokenKey } from '../../src/join/pkcs11-tool.ts'
import type { TestKey } from './test-keys.ts'

export interface Token {
  pin: string
  locked?: boolean
  keys: { label: string; id?: string; pem: string }[]
  does?: 'hang' | 'leave' | 'fail' | 'not load' | 'short'
}

const program = fileURLToPath(new URL('fake-pkcs11-tool.mjs', import.meta.url))

export const pin = 'PIN of the test'

export class FakeToken {
  readonly dir = mkdtempSync(join(tmpdir(), 'token-'))
  readonly key: TokenKey = {
    module: join(this.dir, 'module.so'),
    token: 'provision',
    label: 'agents-ca',
    pinFile: join(this.dir, 'pin'),
    env: { PATH: `${this.dir}${delimiter}${process.env['PATH']}`, FAKE_TOKEN: this.dir },
  }

  constructor(own: TestKey) {
    this.is({ pin, keys: [{ label: 'agents-ca', id: '01', pem: own.pem }] })
    writeFileSync(this.key.module, '')
    writeFileSync(this.key.pinFile, `${pin}\n`, { mode: 0o600 })
    const tool = join(this.dir, 'pkcs11-tool')
    writeFileSync(tool, `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`)
    chmodSync(tool, 0o755)
  }

  is(token: Token): void {
    writeFileSync(join(this.dir, 'token.json'), JSON.stringify(token))
  }

  calls(): { args: string[]; pin: string }[] {
    const file = join(this.dir, 'calls.jsonl')
    if (!existsSync(file)) return []
    return readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
  }

  close(): void {
    rmSync(this.dir, { recursive: true, force: true })
  }
}
