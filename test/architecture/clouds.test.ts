// Only a provider's own folder knows its cloud: everything else asks the definition.
import { describe, expect, it } from 'vitest'
import { type SourceFile, sourcesBelow } from '../support/sources.ts'

/** Texts that name clouds because of what they are about, and not because the code decides anything by it. */
const exceptions: Record<string, string> = {
  'src/cli/check.ts': 'help of an option, which must not wait for the providers to be loaded',
  'src/config/provider-keys.ts': 'the description of master_url lists the aliases there are',
  'src/platform/secret-shapes.ts': 'what keys and tokens of the clouds look like, wherever agents run',
  'src/problems/provider-codes.ts': "a remedy gives the address of a cloud's own documentation",
  'src/standalone/master/rest-pools.ts': "fields of Determined's API, which are always null",
}

const cloud = /(?<![a-z])(?:aws|gcp|ec2|gce|google|amazon)(?![a-z])/i

function namingClouds(files: SourceFile[]): string[] {
  return files.filter(({ text }) => cloud.test(withoutComments(text))).map(({ path }) => path)
}

/** Lines that are a comment, ends of lines that are one, and blocks. */
function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1')
}

describe('clouds', () => {
  const outside = sourcesBelow('src').filter(({ path }) => !path.startsWith('src/providers/'))

  it('are named in no code outside src/providers, but for the exceptions', () => {
    expect(namingClouds(outside).sort()).toEqual(Object.keys(exceptions).sort())
  })

  it('are named in src/providers itself only in their own folders and in the entry', () => {
    const shared = sourcesBelow('src/providers').filter(({ path }) => path.split('/').length === 3)
    expect(namingClouds(shared)).toEqual(['src/providers/index.ts'])
  })

  it('do not know each other', () => {
    const folders = sourcesBelow('src/providers').filter(({ path }) => path.split('/').length > 3)
    const strangers = folders.flatMap(({ path, imports }) =>
      imports
        .map(({ specifier }) => specifier)
        .filter((specifier) => /^\.\.\/(?!\.\.)[^/]+\//.test(specifier))
        .map((specifier) => `${path} imports ${specifier}`),
    )
    expect(strangers).toEqual([])
  })
})
