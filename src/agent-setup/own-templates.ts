// Our templates, compiled ahead of time and run by the small runtime: printing user data must start fast.
import type * as compiler from 'handlebars'
import runtime from 'handlebars/runtime.js'
import type { TemplateContext } from './context.ts'
import { mainTemplates, partials } from './templates.generated.ts'

/** A compiled template. */
export type Render = HandlebarsTemplateDelegate<TemplateContext>

// The runtime's own declarations are empty; it is the part of the package that can run a compiled template.
const { template } = runtime as unknown as typeof compiler

export function mainTemplate(): Render {
  return template(mainTemplates['agent-setup.sh'] as TemplateSpecification)
}

let compiled: Record<string, Render> | undefined

/** By name; a user's template may use them too. */
export function partialTemplates(): Record<string, Render> {
  compiled ??= Object.fromEntries(
    Object.entries(partials).map(([name, spec]) => [name, template(spec as TemplateSpecification)]),
  )
  return compiled
}
