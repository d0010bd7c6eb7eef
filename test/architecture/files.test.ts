// The length of files, and their exports.
import { describe, expect, it } from 'vitest'
import { type SourceFile, sourcesBelow } from '../support/sources.ts'

function lines(file: SourceFile): number {
  return file.text.split('\n').length - 1
}

function over(files: SourceFile[], limit: number): string[] {
  return files.filter((file) => lines(file) > limit).map((file) => `${file.path}: ${lines(file)} lines`)
}

const sources = sourcesBelow('src')
const tests = sourcesBelow('test')

describe('files', () => {
  it('have at most 400 lines', () => {
    expect(over([...sources, ...tests], 400)).toEqual([])
  })

  it('start with a comment on their purpose', () => {
    expect(sources.filter((file) => !/^(#!.*\n)?\/\//.test(file.text)).map((file) => file.path)).toEqual([])
  })

  it('have named exports only', () => {
    expect(sources.filter((file) => /^export default/m.test(file.text)).map((file) => file.path)).toEqual([])
  })
})
