// Renders an agent's setup to the script of its VM. The same setup gives the same bytes everywhere.

import { isError, type Problem } from '../problems/index.ts'
import { secretProblems, setupProblems } from './secrets.ts'
import type { AgentSetup, UserTemplate } from './setup.ts'
import { contextOf, helpers, mainTemplate, partialTemplates, trustsMachine } from './templates.ts'

export interface RenderOptions {
  /** `agent_setup_template`: replaces the built-in template. */
  template?: UserTemplate
  /** `allow_secrets_in_user_data`: texts that look like secrets are allowed. */
  allowSecrets?: boolean
}

export interface RenderResult {
  /** undefined when a problem is an error. */
  script?: string
  problems: Problem[]
}

/** Renders the startup script of one pool's agents; finds every problem at once. */
export async function renderScript(setup: AgentSetup, options: RenderOptions = {}): Promise<RenderResult> {
  const { template, allowSecrets = false } = options
  const { machines } = setup
  const own = template && (await checkTemplate(template, setup))
  const hasTextPartials = machines.some(({ partial, proof }) =>
    [partial?.template, proof?.template].some((source) => typeof source === 'string'),
  )
  const problems = [
    ...(hasTextPartials ? await (await import('./user-template.ts')).partialProblems(machines) : []),
    ...(own?.problems ?? []),
    ...setupProblems(setup),
    ...(allowSecrets ? [] : secretProblems(setup, template)),
  ]
  if (problems.some(isError)) return { problems }
  const render = own?.render ?? mainTemplate()
  return { script: render(contextOf(setup), { helpers, partials: await partialTemplates(setup) }), problems }
}

async function checkTemplate(template: UserTemplate, setup: AgentSetup) {
  const { compileUserTemplate, caBundleProblems, joinProblems } = await import('./user-template.ts')
  const own = await compileUserTemplate(template, setup.machines)
  const missing = [
    ...(trustsMachine(setup) ? caBundleProblems(template) : []),
    ...(setup.join ? joinProblems(template) : []),
  ]
  return { ...own, problems: [...own.problems, ...missing] }
}
