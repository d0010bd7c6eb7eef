// THIRD_PARTY_LICENSES: the text of every bundled package, wherever the package keeps it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { licensesOf } from '../../../scripts/licenses.ts'

const root = mkdtempSync(join(tmpdir(), 'licenses-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

function listed(files: Record<string, string>): string {
  const folder = join(root, 'node_modules/one')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"name": "one", "version": "1.0.0", "license": "MIT"}')
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return licensesOf(['node_modules/one/index.js'], root)
}

it.each([
  ['LICENSE', 'Copyright A'],
  ['licence.md', 'Copyright A'],
  ['COPYING', 'Copyright A'],
  ['README.md', '# one\n\nText.\n\n## License\n\nCopyright A\n\n## Other\n\nno part of it'],
  ['README.md', 'one\n===\n\nLicense\n-------\n\nCopyright A\n\n[rfc]: http://example.com'],
])('takes the text from %s', (name, text) => {
  expect(listed({ [name]: text })).toContain('one 1.0.0 (MIT)\n\nCopyright A\n')
  expect(listed({ [name]: text })).not.toContain('no part of it')
})

it('adds notices, which the Apache licence demands', () => {
  const text = listed({
    LICENSE: 'the licence',
    NOTICE: 'one\nCopyright B',
    'CopyrightNotice.txt': 'Copyright C',
  })
  expect(text).toContain('the licence\n\nCopyright C\n\none\nCopyright B\n')
})

it('says that a package has no text', () => {
  expect(listed({ 'README.md': '# one' })).toContain('(MIT; no text in the package)')
})
