// Every library that ships is justified, and nothing is justified that does not ship.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { packedManifest } from '../../scripts/pack-manifest.ts'
import { root } from '../support/sources.ts'

const read = (name: string) => readFileSync(join(root, name), 'utf8')
const about = JSON.parse(read('package.json'))

describe('dependencies', () => {
  it('are exactly those that docs/internals/dependencies.md gives a reason for', () => {
    const justified = [...read('docs/internals/dependencies.md').matchAll(/^\| `([^`]+)` \| \S/gm)].map(
      (match) => match[1],
    )
    expect(justified).toEqual(Object.keys(about.dependencies).sort())
  })

  it('have licence and version listed, as all of them are inside of what is packed', () => {
    const licences = read('THIRD_PARTY_LICENSES')
    for (const name of Object.keys(about.dependencies)) {
      const { version } = JSON.parse(read(`node_modules/${name}/package.json`))
      expect(licences).toContain(`\n${name} ${version} (`)
    }
  })

  it('are not in the manifest that is packed', () => {
    const packed = packedManifest(about)
    expect(packed).not.toHaveProperty('dependencies')
    expect(packed).not.toHaveProperty('scripts')
    expect(packed).toMatchObject({ bin: about.bin, exports: about.exports, engines: about.engines })
  })

  it('name no registry host in the lock file', () => {
    expect(read('package-lock.json')).not.toMatch(/https?:\/\/[^"]*registry/)
  })
})
