// The text of docs/errors.md: every code, grouped as in the source, with its meaning and remedy; and the reasons of
// decisions.

import { failureStages, progressStages } from '../src/agent-setup/stages.ts'
import { actReasons } from '../src/planner/decision.ts'
import { waitReasons } from '../src/planner/waiting.ts'
import type { CodeInfo } from '../src/problems/code-info.ts'
import { codeGroups } from '../src/problems/codes.ts'

const intro = `# Codes

Every error and warning has a stable code. Programs may rely on the code; the text after it may change.
This page is generated from the sources (\`npm run docs\`). A code is never reused for another meaning.

Exit status: 0 done, 1 failed, 2 usage, 3 configuration or certificate invalid, 4 preflight failed, 5 cloud call rejected.
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

/** The reasons of the planner that are not problems: they have a meaning, and no remedy. */
function reasons(): string {
  const rowsOf = (table: Record<string, string>) =>
    Object.entries(table)
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([code, meaning]) => `| \`${code}\` | ${cell(sentence(meaning))} |`)
      .join('\n')
  return `
## Reasons of decisions

The log, \`provision logs\` and \`provision explain\` give one of these codes as the reason of a launch, a drain or a termination.
They report normal operation and need no action. What blocks a pool has a code of [the fleet](#the-fleet).

| code | meaning |
|---|---|
${rowsOf(actReasons)}

A job of the built-in master that waits has one of these codes or one of the following as its reason; what blocks its pool has a
code of the fleet there, too.

| code | meaning |
|---|---|
${rowsOf(waitReasons)}
`
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}

function stages(): string {
  const rows = Object.entries(failureStages).map(
    ([stage, s]) => `| \`${stage}\` | ${s.exit} | ${cell(s.meaning)} |`,
  )
  return `
## Stages of the startup script

The startup script prints \`PROVISION_STAGE=<stage>\` on the instance's console. A successful boot passes
${progressStages.map((stage) => `\`${stage}\``).join(', ')}. A failed boot ends with one of these:

| stage | exit status of the script | meaning |
|---|---|---|
${rows.join('\n')}
`
}

export function errorsPage(): string {
  return intro + Object.entries(codeGroups).map(group).join('') + reasons() + stages()
}
