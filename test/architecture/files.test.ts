// Small files, one way to export, no machine's own paths.
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
  it('have at most 250 lines in src and 400 in test', () => {
    expect([...over(sources, 250), ...over(tests, 400)]).toEqual([])
  })

  it('have a median under 90 lines in src', () => {
    const sorted = sources.map(lines).sort((a, b) => a - b)
    expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThan(90)
  })

  it('begin with a comment that says what they are for', () => {
    expect(sources.filter((file) => !/^(#!.*\n)?\/\//.test(file.text)).map((file) => file.path)).toEqual([])
  })

  it('export by name', () => {
    expect(sources.filter((file) => /^export default/m.test(file.text)).map((file) => file.path)).toEqual([])
  })
})
