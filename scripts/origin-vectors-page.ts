// The text of docs/internals/origin-vectors.md: the tests of Determined's provisioner for its configuration, and their
// results here.
import { originVectors } from '../test/unit/config/origin-vectors.cases.ts'

export function originVectorsPage(): string {
  const rows = originVectors.map(
    ({ origin, vector, here, why }) => `| \`${origin}\` | ${vector} | ${here} | ${why} |`,
  )
  const count = (word: string) => originVectors.filter(({ here }) => here === word).length
  return `# Vectors of the origin

Determined tests its configuration with the vectors below (files are below \`master/\`). \`test/unit/config/origin-vectors.test.ts\` runs each of them; this page is generated (\`npm run docs\`). ${count('passes')} pass, ${count('differs')} contradict a correction of ours, ${count('not ours')} are about keys that are let through unread.

| origin | vector | here | why |
|---|---|---|---|
${rows.join('\n')}
`
}
