// Checks templates of users and providers, and compiles a user's. Only these load the compiler.

import { type Problem, type ProblemCode, type ProblemOptions, problem } from '../problems/index.ts'
import type { Machine, MachinePartial, UserTemplate } from './setup.ts'
import { placeIn, type ShellState, scanShell, startOfScript } from './shell.ts'
import { compileOptions, type HelperName, helperNames } from './template-options.ts'
import {
  type ContextName,
  contextNames,
  type NameKind,
  normalizeScript,
  partialNames,
  type Render,
} from './templates.ts'

/** The compiled template, or the problems that prevent it. */
export async function compileUserTemplate(
  template: UserTemplate,
  machines: readonly Machine[],
): Promise<{ render?: Render; problems: Problem[] }> {
  const { default: Handlebars } = await import('handlebars')
  const text = normalizeScript(template.text)
  const problems = lintTemplate({ ...template, text }, Handlebars.parse, vocabularyOf(machines))
  if (problems.length > 0) return { problems }
  return { render: Handlebars.compile(text, compileOptions), problems }
}

/** Partials that use the CA bundle, and the one that writes it. */
const ofCaBundle = /\{\{>\s*(ca-bundle|tls-check|docker|process)\s*\}\}/

/** For agents that trust the CAs of their VM: partials that use the CA bundle need `ca-bundle` before them. */
export function caBundleProblems({ name, text }: UserTemplate): Problem[] {
  const found = ofCaBundle.exec(text)
  if (!found || found[1] === 'ca-bundle') return []
  const line = text.slice(0, found.index).split('\n').length
  const message = `{{> ${found[1]}}} needs {{> ca-bundle}} before it`
  return [problem('TEMPLATE_NO_CA_BUNDLE', message, { where: { file: name, line } })]
}

/** For agents with client certificates of the provisioner: partials that use the certificate need `join` before them. */
export function joinProblems({ name, text }: UserTemplate): Problem[] {
  const found = /\{\{>\s*(join|tls-check|docker|process)\s*\}\}/.exec(text)
  if (found?.[1] === 'join') return []
  const line = found && text.slice(0, found.index).split('\n').length
  const message = found ? `{{> ${found[1]}}} needs {{> join}} before it` : 'the template has no {{> join}}'
  return [problem('TEMPLATE_NO_JOIN', message, { where: { file: name, ...(line && { line }) } })]
}

/** Problems of partials that providers supply as text, by the rules of users' templates. A partial may not use itself. */
export async function partialProblems(machines: readonly Machine[]): Promise<Problem[]> {
  const { default: Handlebars } = await import('handlebars')
  const { names, partials } = vocabularyOf(machines)
  return machines.flatMap(({ kind, partial, proof }) => {
    const others = partials.filter((name) => name !== kind)
    const lint = (name: string, template: MachinePartial['template'] | undefined) => {
      if (typeof template !== 'string') return []
      const source = { name: `the ${name} of provider type ${kind}`, text: normalizeScript(template) }
      return lintTemplate(source, Handlebars.parse, { names, partials: others }, true)
    }
    return [...lint('partial', partial?.template), ...lint('proof partial', proof?.template)]
  })
}

// Checks a template's syntax tree: only declared names, only through the helpers, only where the shell does not parse them.

/** The names and partials a template may use. */
export interface Vocabulary {
  names: Record<string, ContextName>
  partials: readonly string[]
}

export function vocabularyOf(machines: readonly Machine[]): Vocabulary {
  return { names: contextNames(machines), partials: partialNames(machines) }
}

export interface TemplateSource {
  name: string
  text: string
}

/** `Handlebars.parse`; a parameter, because the compiler is loaded only to read a template. */
export type Parse = (text: string) => hbs.AST.Program

type Report = (
  code: ProblemCode,
  node: hbs.AST.Node,
  message: string,
  options?: Pick<ProblemOptions, 'remedy'>,
) => void

/** Every fault of a script template, or with `isPartial` of a partial, with its line and column. */
export function lintTemplate(
  source: TemplateSource,
  parse: Parse,
  vocabulary: Vocabulary,
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
  walk(program, { report, position, vocabulary })
  position.end(program)
  return problems
}

interface Walk {
  report: Report
  position: Position
  vocabulary: Vocabulary
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

function visitValue(node: hbs.AST.MustacheStatement, { report, position, vocabulary }: Walk): void {
  const helper = nameOf(node.path)
  const [name, ...more] = node.params
  if (isHelper(helper) && name && more.length === 0 && !node.hash) {
    const fault = checkName(name, helper, vocabulary.names)
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
  const fault = checkName(name, 'if', at.vocabulary.names)
  if (fault) at.report('TEMPLATE_UNKNOWN_NAME', name, fault)
  at.position.branches(node, [
    () => node.program && walk(node.program, at),
    () => node.inverse && walk(node.inverse, at),
  ])
}

function visitPartial(node: hbs.AST.PartialStatement, { report, position, vocabulary }: Walk): void {
  const name = nameOf(node.name)
  if (vocabulary.partials.includes(name) && node.params.length === 0 && !node.hash) {
    position.partial(node)
    return
  }
  report('TEMPLATE_NOT_ALLOWED', node, `there is no partial {{> ${name}}}`, {
    remedy: `The partials are ${vocabulary.partials.join(', ')}; they take no arguments.`,
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

// Checks that a name in a template exists and that its use matches its kind.

const uses: Record<HelperName | 'if', NameKind[]> = {
  sh: ['text', 'switch'],
  text: ['text'],
  list: ['list'],
  if: ['text', 'list', 'switch'],
}

/** The fault, or undefined. */
function checkName(
  node: hbs.AST.Expression,
  use: HelperName | 'if',
  names: Vocabulary['names'],
): string | undefined {
  if (node.type !== 'PathExpression') return `only names are allowed here, not ${node.type}`
  const { original, data, depth, parts } = node as hbs.AST.PathExpression
  const known = names[parts.join('.')]
  if (!known || data || depth > 0 || !Object.hasOwn(names, original))
    return `${original} is not a name that templates can use`
  if (!uses[use].includes(known.kind)) return `${original} is a ${known.kind}, which ${use} does not accept`
  return undefined
}

// The position of a value in the script around it. Inside other quotes, a heredoc or a comment, quoting does not help:
// the shell or a line end in the value would undo it.

/** What must precede a value on its line, and directly follow it. */
const rules: Record<HelperName, { before: RegExp; after: string; form: string }> = {
  sh: { before: /^\s*(?:export )?[A-Za-z_]\w*=$/, after: '\n', form: 'NAME={{sh name}}' },
  list: { before: /^\s*[A-Za-z_]\w*=\($/, after: ')\n', form: 'NAME=({{list name}})' },
  text: { before: /^[^#]*\S $/, after: '\n', form: 'command {{text name}}' },
}
const blank: Record<HelperName, string> = { sh: "''", list: "''", text: '' }

type ReportAt = (node: hbs.AST.Node, message: string) => void

/** Follows a template from its beginning to its end. */
export interface Position {
  text(node: hbs.AST.ContentStatement): void
  value(node: hbs.AST.MustacheStatement, helper: HelperName): void
  partial(node: hbs.AST.PartialStatement): void
  /** Each branch starts at the position of the block; all must end inside the same constructs. */
  branches(node: hbs.AST.BlockStatement, walks: (() => unknown)[]): void
  end(node: hbs.AST.Program): void
}

export function openPosition(report: ReportAt): Position {
  let state: ShellState = startOfScript()
  /** The value whose line must end with the next text. */
  let waiting: { node: hbs.AST.Node; helper: HelperName } | undefined

  function settle(text: string): void {
    if (waiting && !text.startsWith(rules[waiting.helper].after)) refuse(waiting.node, waiting.helper)
    waiting = undefined
  }

  function refuse(node: hbs.AST.Node, helper: HelperName): void {
    report(node, `the value must be on its own: ${rules[helper].form}`)
  }

  return {
    text(node) {
      settle(node.value)
      state = scanShell(state, node.value)
    },
    value(node, helper) {
      settle('')
      const place = placeIn(state)
      const open = helper === 'list' && state.places.length === 1 && place === 'parentheses'
      const inside = place !== undefined && !open
      if (inside) report(node, `the value is inside ${place}`)
      else if (!rules[helper].before.test(state.line)) refuse(node, helper)
      else waiting = { node, helper }
      state = scanShell(state, blank[helper])
    },
    partial(node) {
      settle('')
      const place = placeIn(state)
      if (place) report(node, `the partial is inside ${place}`)
      else if (state.line !== '' || node.indent) report(node, 'a partial must begin its line')
    },
    branches(node, walks) {
      settle('')
      const before = state
      const ends = walks.map((walk) => {
        state = before
        walk()
        settle('')
        return JSON.stringify([state.places, state.heredocs])
      })
      if (new Set(ends).size > 1) report(node, 'the branches end in different quotes or substitutions')
    },
    end(node) {
      const place = placeIn(state)
      if (place && place !== 'a comment') report(node, `the template ends inside ${place}`)
      waiting = undefined
    },
  }
}
