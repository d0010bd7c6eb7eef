// Each cloud's SDK is used in one file only, which is where an upgrade, or another client, has to be handled.
import { expect, it } from 'vitest'
import { type SourceFile, sourcesBelow } from '../../support/sources.ts'

const sources = sourcesBelow('src')

function filesImporting(packages: RegExp, which: (one: SourceFile['imports'][number]) => boolean) {
  return sources
    .filter(({ imports }) => imports.some((one) => packages.test(one.specifier) && which(one)))
    .map(({ path }) => path)
    .sort()
}

it("holds for Google's packages, and for their undocumented parts", () => {
  const one = ['src/providers/gcp/compute-package.ts']
  expect(filesImporting(/^(?:@google-cloud\/|google-)/, () => true)).toEqual(one)
  const undocumented = /build\/src\/|innerApiCalls|loadProtoJSON/
  expect(sources.filter(({ text }) => undocumented.test(text)).map(({ path }) => path)).toEqual(one)
})

it("holds for Amazon's SDK", () => {
  const sdk = /^@(?:aws-sdk|smithy)\//
  expect(filesImporting(sdk, ({ typeOnly }) => !typeOnly)).toEqual(['src/providers/aws/client.ts'])
  // Requests and responses use its types without loading it.
  expect(filesImporting(sdk, () => true)).toEqual([
    'src/providers/aws/client.ts',
    'src/providers/aws/request.ts',
    'src/providers/aws/responses.ts',
  ])
})
