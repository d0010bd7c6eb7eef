// The text of docs/internals/determined-vectors.md: Determined's own tests of its configuration, and the result of each here.
import { determinedVectors } from '../test/unit/config/determined-vectors.cases.ts'

export function determinedVectorsPage(): string {
  const rows = determinedVectors.map(
    ({ file, vector, here, why }) => `| \`${file}\` | ${vector} | ${here} | ${why} |`,
  )
  const count = (word: string) => determinedVectors.filter(({ here }) => here === word).length
  return `# Test vectors of Determined

[Determined](https://github.com/determined-ai/determined) tests the configuration of its master and of its provisioner with the vectors below (files are below \`master/\`). \`test/unit/config/determined-vectors.test.ts\` runs each of them; this page is generated (\`npm run docs\`). ${count('passes')} pass, ${count('differs')} contradict a correction made here, ${count('not read')} are about keys that are accepted and not read.

| file | vector | here | why |
|---|---|---|---|
${rows.join('\n')}
`
}
