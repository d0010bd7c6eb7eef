// A user's own template: checked, then compiled. The compiler is loaded for it alone.
import type { Problem } from '../problems/problem.ts'
import { partialTemplates, type Render } from './own-templates.ts'
import { normalizeScript } from './script-text.ts'
import { lintTemplate } from './template-lint.ts'
import { compileOptions } from './template-options.ts'

export interface UserTemplate {
  /** Path of the file, for messages. */
  name: string
  text: string
}

/** A template that can be rendered, or the reasons why it cannot. */
export async function compileUserTemplate(
  template: UserTemplate,
): Promise<{ render?: Render; problems: Problem[] }> {
  const { default: Handlebars } = await import('handlebars')
  const text = normalizeScript(template.text)
  const problems = lintTemplate({ ...template, text }, Handlebars.parse, Object.keys(partialTemplates()))
  if (problems.length > 0) return { problems }
  return { render: Handlebars.compile(text, compileOptions), problems }
}
