// Checks a template's syntax tree: only declared names, only through our helpers, only where the shell cannot read them.

import type { ProblemCode } from '../problems/codes.ts'
import { type Problem, type ProblemOptions, problem } from '../problems/problem.ts'
import { checkName } from './template-names.ts'
import { type HelperName, helperNames } from './template-options.ts'
import { openPosition, type Position } from './template-position.ts'

export interface TemplateSource {
  name: string
  text: string
}

/** `Handlebars.parse`; a parameter, because the compiler is loaded only where a template must be read. */
export type Parse = (text: string) => hbs.AST.Program

type Report = (
  code: ProblemCode,
  node: hbs.AST.Node,
  message: string,
  options?: Pick<ProblemOptions, 'remedy'>,
) => void

/** Every fault of a whole script, or with `isPartial` of a part of one, with its line and column. */
export function lintTemplate(
  source: TemplateSource,
  parse: Parse,
  partialNames: string[],
  isPartial = false,
): Problem[] {
  const problems: Problem[] = []
  const report: Report = (code, { loc }, message, options) =>
    problems.push(
      problem(code, message, {
        ...options,
        where: { file: source.name, line: loc.start.line, column: loc.start.column + 1 },
      }),
    )
  let program: hbs.AST.Program
  try {
    program = parse(source.text)
  } catch (cause) {
    return [syntaxProblem(source.name, cause as Error)]
  }
  if (!isPartial && !source.text.startsWith('#!'))
    report('TEMPLATE_NO_SHEBANG', program, 'the template does not begin with #!')
  const position = openPosition((node, message) => report('TEMPLATE_POSITION', node, message))
  walk(program, { report, position, partialNames })
  position.end(program)
  return problems
}

interface Walk {
  report: Report
  position: Position
  partialNames: string[]
}

function walk(program: hbs.AST.Program, at: Walk): void {
  for (const node of program.body) visit(node, at)
}

function visit(node: hbs.AST.Statement, at: Walk): void {
  if (node.type === 'ContentStatement') at.position.text(node as hbs.AST.ContentStatement)
  else if (node.type === 'MustacheStatement') visitValue(node as hbs.AST.MustacheStatement, at)
  else if (node.type === 'BlockStatement') visitBlock(node as hbs.AST.BlockStatement, at)
  else if (node.type === 'PartialStatement') visitPartial(node as hbs.AST.PartialStatement, at)
  else if (node.type !== 'CommentStatement')
    at.report('TEMPLATE_NOT_ALLOWED', node, `${node.type} is not allowed`)
}

function visitValue(node: hbs.AST.MustacheStatement, { report, position }: Walk): void {
  const helper = nameOf(node.path)
  const [name, ...more] = node.params
  if (isHelper(helper) && name && more.length === 0 && !node.hash) {
    const fault = checkName(name, helper)
    if (fault) report('TEMPLATE_UNKNOWN_NAME', name, fault)
    position.value(node, helper)
    return
  }
  const written = name ? nameOf(name) : helper
  report('TEMPLATE_NOT_ALLOWED', node, `{{${helper}${name ? ' …' : ''}}} would reach the script unquoted`, {
    remedy: `Write {{sh ${written}}}, {{list ${written}}} or {{text ${written}}}.`,
  })
}

function visitBlock(node: hbs.AST.BlockStatement, at: Walk): void {
  const block = nameOf(node.path)
  const [name, ...more] = node.params
  if (!['if', 'unless'].includes(block) || !name || more.length > 0 || node.hash) {
    const remedy = 'Use {{#if name}} or {{#unless name}}.'
    at.report('TEMPLATE_NOT_ALLOWED', node, `{{#${block}}} is not allowed`, { remedy })
    return
  }
  const fault = checkName(name, 'if')
  if (fault) at.report('TEMPLATE_UNKNOWN_NAME', name, fault)
  at.position.branches(node, [
    () => node.program && walk(node.program, at),
    () => node.inverse && walk(node.inverse, at),
  ])
}

function visitPartial(node: hbs.AST.PartialStatement, { report, position, partialNames }: Walk): void {
  const name = nameOf(node.name)
  if (partialNames.includes(name) && node.params.length === 0 && !node.hash) {
    position.partial(node)
    return
  }
  report('TEMPLATE_NOT_ALLOWED', node, `there is no partial {{> ${name}}}`, {
    remedy: `The partials are ${partialNames.join(', ')}; they take no arguments.`,
  })
}

function nameOf(node: hbs.AST.Node): string {
  return 'original' in node ? String(node.original) : node.type
}

function isHelper(name: string): name is HelperName {
  return helperNames.some((helper) => helper === name)
}

function syntaxProblem(file: string, { message }: Error): Problem {
  const line = /on line (\d+)/.exec(message)?.[1]
  return problem('TEMPLATE_SYNTAX', message.split('\n').join(' '), {
    where: { file, ...(line && { line: Number(line) }) },
  })
}
