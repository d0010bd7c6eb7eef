// Is a name in a template one that it is given, and does its use fit what it holds?
import { contextNames, type NameKind } from './context-names.ts'
import type { HelperName } from './template-options.ts'

const uses: Record<HelperName | 'if', NameKind[]> = {
  sh: ['text', 'switch'],
  text: ['text'],
  list: ['list'],
  if: ['text', 'list', 'switch'],
}

/** What is wrong with it, or undefined. */
export function checkName(node: hbs.AST.Expression, use: HelperName | 'if'): string | undefined {
  if (node.type !== 'PathExpression') return `only names are allowed here, not ${node.type}`
  const { original, data, depth, parts } = node as hbs.AST.PathExpression
  const known = contextNames[parts.join('.')]
  if (!known || data || depth > 0 || !Object.hasOwn(contextNames, original))
    return `${original} is not a name a template is given`
  if (!uses[use].includes(known.kind)) return `${original} is a ${known.kind}, which ${use} cannot take`
  return undefined
}
