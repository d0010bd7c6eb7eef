// The text of docs/errors.md: every code, grouped as in the source, with its meaning and remedy.

import { failureStages, progressStages } from '../src/agent-setup/stages.ts'
import type { CodeInfo } from '../src/problems/code-info.ts'
import { codeGroups } from '../src/problems/codes.ts'

const intro = `# Codes

Every error and warning has a stable code. Programs may rely on it; the sentence after it may change.
This page is generated from the table in \`src/problems\` (\`npm run docs\`); a code is never used again for something else.

Exit status: 0 done, 1 failed, 2 usage, 3 configuration or certificate refused, 4 preflight failed, 5 cloud refused.
`

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

function group([title, codes]: [string, Record<string, CodeInfo>]): string {
  const rows = Object.entries(codes)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(
      ([code, i]) => `| \`${code}\` | ${i.severity} | ${i.exit} | ${cell(i.meaning)} | ${cell(i.remedy)} |`,
    )
  if (rows.length === 0) return ''
  return `\n## ${title}\n\n| code | severity | exit | meaning | what to do |\n|---|---|---|---|---|\n${rows.join('\n')}\n`
}

function stages(): string {
  const rows = Object.entries(failureStages).map(
    ([stage, s]) => `| \`${stage}\` | ${s.exit} | ${cell(s.meaning)} |`,
  )
  return `
## Stages of an agent VM

The startup script prints \`PROVISION_STAGE=<stage>\` on the VM's console. A boot that goes well passes
${progressStages.map((stage) => `\`${stage}\``).join(', ')}. One of these ends it:

| stage | exit status of the script | meaning |
|---|---|---|
${rows.join('\n')}
`
}

export function errorsPage(): string {
  return intro + Object.entries(codeGroups).map(group).join('') + stages()
}
