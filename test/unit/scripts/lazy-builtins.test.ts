// The bundle of the command line loads Node's large modules when it first uses them.
import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { withBuiltinsOnDemand } from '../../../scripts/lazy-builtins.ts'

/** Runs a bundle, and reports its result and the modules that it has loaded. */
function run(text: string): { result: unknown; loaded: string[] } {
  const loaded: string[] = []
  const real = createRequire(import.meta.url)
  const traced = (id: string) => {
    loaded.push(id)
    return real(id) as unknown
  }
  const result: unknown = new Function('require', '__toESM', withBuiltinsOnDemand(text))(
    traced,
    (x: object) => ({
      ...x,
      default: x,
    }),
  )
  return { result, loaded }
}

describe('a bundle', () => {
  it('loads no module that it does not use', () => {
    const { loaded } = run(
      '"use strict";var a=require("node:https"),b=__toESM(require("node:tls")),c=__toESM(require("node:zlib"),1)',
    )
    expect(loaded).toEqual([])
  })

  it.each([
    ['a name', 'var a=require("node:zlib");return a.crc32("x")'],
    ['a default', 'var a=__toESM(require("node:zlib"));return a.default.crc32("x")'],
    ['a namespace', 'var a=__toESM(require("node:zlib"),1);return (0,a.crc32)("x")'],
  ])('loads it for %s', (_, text) => {
    expect(run(`"use strict";${text}`)).toEqual({ result: 0x8cdc1683, loaded: ['node:zlib'] })
  })

  it('loads at once what Node has loaded already', () => {
    expect(run('"use strict";var a=require("node:path"),b=a.sep').loaded).toEqual(['node:path'])
  })

  it('of another form is refused', () => {
    expect(() => withBuiltinsOnDemand('var a=1')).toThrow('use strict')
  })
})
