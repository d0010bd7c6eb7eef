// Only a provider's folder knows its cloud: all other code asks the definition.
import { describe, expect, it } from 'vitest'
import { type SourceFile, sourcesBelow } from '../support/sources.ts'

/** Texts that may name clouds, because no code decides by them. */
const exceptions: Record<string, string> = {
  'src/cli/check.ts': 'help of an option, which must not wait for the providers to be loaded',
  'src/config/provider-keys.ts': 'the description of master_url lists the aliases there are',
  'src/platform/secret-commands.ts': 'commands of the clouds that take a password, on any cloud',
  'src/platform/secret-places.ts': 'headers and files of the clouds, on any cloud',
  'src/platform/secret-tokens.ts': 'what keys and tokens of the clouds look like, on any cloud',
  'src/platform/secret-values.ts': 'where the clouds keep secrets, on any cloud',
  'src/problems/provider-codes.ts': "a remedy gives the address of a cloud's own documentation",
  'src/standalone/master/rest-pools.ts': "fields of Determined's API, which are always null",
}

const cloud = /(?<![a-z])(?:aws|gcp|ec2|gce|google|amazon)(?![a-z])/i

function namingClouds(files: SourceFile[]): string[] {
  return files.filter(({ text }) => cloud.test(withoutComments(text))).map(({ path }) => path)
}

/** Comment lines, comments at line ends, and comment blocks. */
function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1')
}

describe('clouds', () => {
  const outside = sourcesBelow('src').filter(({ path }) => !path.startsWith('src/providers/'))

  it('are not named in code outside src/providers, except in the listed files', () => {
    expect(namingClouds(outside).sort()).toEqual(Object.keys(exceptions).sort())
  })

  it('are named in src/providers itself only in their own folders and the entry file', () => {
    const shared = sourcesBelow('src/providers').filter(({ path }) => path.split('/').length === 3)
    expect(namingClouds(shared)).toEqual(['src/providers/index.ts'])
  })

  it('do not import each other', () => {
    const folders = sourcesBelow('src/providers').filter(({ path }) => path.split('/').length > 3)
    const crossImports = folders.flatMap(({ path, imports }) =>
      imports
        .map(({ specifier }) => specifier)
        .filter((specifier) => /^\.\.\/(?!\.\.)[^/]+\//.test(specifier))
        .map((specifier) => `${path} imports ${specifier}`),
    )
    expect(crossImports).toEqual([])
  })
})
