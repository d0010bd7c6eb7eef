// Every bundled library has a documented reason, and every reason belongs to a bundled library.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { packedManifest } from '../../scripts/pack-manifest.ts'
import { root } from '../support/sources.ts'

const read = (name: string) => readFileSync(join(root, name), 'utf8')
const about = JSON.parse(read('package.json'))

describe('dependencies', () => {
  it('are exactly those in docs/internals/dependencies.md', () => {
    const justified = [...read('docs/internals/dependencies.md').matchAll(/^\| `([^`]+)` \| \S/gm)].map(
      (match) => match[1],
    )
    expect(justified).toEqual(Object.keys(about.dependencies).sort())
  })

  it('are listed with licence and version, because all of them are bundled', () => {
    const licences = read('THIRD_PARTY_LICENSES')
    for (const name of Object.keys(about.dependencies)) {
      const { version } = JSON.parse(read(`node_modules/${name}/package.json`))
      expect(licences).toContain(`\n${name} ${version} (`)
    }
  })

  it('are not in the manifest of the package', () => {
    const packed = packedManifest(about)
    expect(packed).not.toHaveProperty('dependencies')
    expect(packed).not.toHaveProperty('scripts')
    expect(packed).toMatchObject({ bin: about.bin, exports: about.exports, engines: about.engines })
  })

  it('do not name a registry host in the lock file', () => {
    expect(read('package-lock.json')).not.toMatch(/https?:\/\/[^"]*registry/)
  })
})
