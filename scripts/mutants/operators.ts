// Small mistakes that can be made in a source file: the places where one is possible, and how each reads.
import { parseSync, Visitor, type VisitorObject } from 'oxc-parser'

export interface Mutation {
  /** Name of the operator. */
  kind: string
  /** Offsets in the source; the text between them is replaced. */
  start: number
  end: number
  text: string
}

/** One expression or statement, and the mistakes that can be made in it. */
export type Site = [Mutation, ...Mutation[]]

interface Range {
  start: number
  end: number
}

const flips: Record<string, [string, ...string[]]> = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '==': ['!='],
  '!=': ['=='],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '**': ['*'],
}

const assignments: Record<string, string> = { '+=': '-=', '-=': '+=', '??=': '=', '||=': '=', '&&=': '=' }

const methods: Record<string, string> = {
  min: 'max',
  max: 'min',
  some: 'every',
  every: 'some',
  find: 'findLast',
  floor: 'ceil',
  ceil: 'floor',
  add: 'delete',
}

/** Calls of these on a list can be left out. */
const passing = ['filter', 'sort', 'toSorted', 'reverse', 'toReversed', 'slice', 'flat', 'concat']

/** Their arguments are messages for people. */
const speaking = /^(?:problem|reason|Error|TypeError|RangeError|ProvisionError)$/

/** All places in a file, in order. Comments, types, imports, strings and messages have none. */
export function sitesOf(file: string, source: string): Site[] {
  const { program, errors } = parseSync(file, source)
  if (errors.length > 0) throw new Error(`${file} cannot be parsed: ${errors[0]?.message}`)
  const sites: Site[] = []
  const excluded: Range[] = []
  const textOf = ({ start, end }: Range) => source.slice(start, end)
  const exclude = ({ start, end }: Range) => excluded.push({ start, end })
  const replace = (kind: string, { start, end }: Range, text: string, ...others: string[]) =>
    sites.push([{ kind, start, end, text }, ...others.map((other) => ({ kind, start, end, text: other }))])
  const isText = (node: { type: string; value?: unknown }) =>
    node.type === 'TemplateLiteral' || (node.type === 'Literal' && typeof node.value === 'string')

  /** The operator between two operands, without comments and brackets around it. */
  function operator(left: Range, right: Range, text: string): Range {
    const start = left.end + source.slice(left.end, right.start).lastIndexOf(text)
    return { start, end: start + text.length }
  }

  function negate(test: Range): void {
    replace('negated condition', test, `!(${textOf(test)})`)
  }

  const visitor: VisitorObject = {
    TSTypeAnnotation: exclude,
    TSTypeAliasDeclaration: exclude,
    TSInterfaceDeclaration: exclude,
    TSTypeParameterInstantiation: exclude,
    TSTypeParameterDeclaration: exclude,
    TSAsExpression: ({ typeAnnotation }) => exclude(typeAnnotation),
    TSSatisfiesExpression: ({ typeAnnotation }) => exclude(typeAnnotation),
    ImportDeclaration: exclude,
    TemplateLiteral: exclude,
    ThrowStatement: ({ argument }) => exclude(argument),
    NewExpression(node) {
      if (node.callee.type === 'Identifier' && speaking.test(node.callee.name)) exclude(node)
    },

    BinaryExpression({ left, right, operator: sign }) {
      const others = flips[sign]
      if (!others || (sign === '+' && (isText(left) || isText(right)))) return
      const kind = /[<>=]/.test(sign) ? 'comparison' : 'arithmetic'
      replace(kind, operator(left, right, sign), ...others)
    },
    LogicalExpression(node) {
      const { left, right, operator: sign } = node
      if (sign === '??') return replace('default dropped', node, textOf(left))
      replace('logical operator', operator(left, right, sign), sign === '&&' ? '||' : '&&')
    },
    UnaryExpression(node) {
      if (node.operator === '!') replace('negation dropped', node, textOf(node.argument))
      else if (node.operator === '-') replace('sign dropped', node, textOf(node.argument))
    },
    UpdateExpression(node) {
      const sign = node.operator === '++' ? '--' : '++'
      replace('arithmetic', node, textOf(node).replace(node.operator, sign))
    },
    AssignmentExpression({ left, right, operator: sign }) {
      const other = assignments[sign]
      if (other) replace('assignment', operator(left, right, sign), other)
    },
    IfStatement(node) {
      negate(node.test)
      if (!node.alternate) replace('statement removed', node, '{}')
    },
    WhileStatement: ({ test }) => negate(test),
    ConditionalExpression: ({ test }) => negate(test),
    Literal(node) {
      if (typeof node.value === 'boolean') replace('constant', node, String(!node.value))
      else if (typeof node.value === 'number') replace('constant', node, ...othersThan(node.value))
    },
    ExpressionStatement(node) {
      if (!('directive' in node && node.directive)) replace('statement removed', node, '{}')
    },
    BreakStatement: (node) => replace('statement removed', node, '{}'),
    ContinueStatement: (node) => replace('statement removed', node, '{}'),
    ReturnStatement(node) {
      if (!node.argument) replace('statement removed', node, '{}')
      else if (node.argument.type !== 'Literal') replace('early return', node, 'return undefined')
    },
    CallExpression(node) {
      const { callee } = node
      if (callee.type === 'Identifier' && speaking.test(callee.name)) return exclude(node)
      if (callee.type !== 'MemberExpression' || callee.computed) return
      if (callee.property.type !== 'Identifier') return
      const { name } = callee.property
      const other = Object.hasOwn(methods, name) ? methods[name] : undefined
      if (other) replace('other method', callee.property, other)
      if (passing.includes(name)) replace('call dropped', node, textOf(callee.object))
    },
    SpreadElement(node) {
      // In an object, or in an array or a call.
      replace('spread dropped', node, isInObject(node) ? '...{}' : '...[]')
    },
    ObjectExpression({ properties }) {
      for (const property of properties)
        if (property.type === 'Property') replace('property dropped', property, '...{}')
    },
    FunctionDeclaration: ({ body }) => body && returnEarly(body),
    ArrowFunctionExpression: ({ body }) => body.type === 'BlockStatement' && returnEarly(body),
  }

  /** Object literals, for which a spread is one of properties. */
  const objects = new Set<number>()
  new Visitor({
    ObjectExpression: ({ properties }) => {
      for (const { type, start } of properties) if (type === 'SpreadElement') objects.add(start)
    },
  }).visit(program)
  const isInObject = ({ start }: Range) => objects.has(start)

  /** Only in functions that do something and have no result: otherwise each path has its own return. */
  function returnEarly(body: Range): void {
    const text = textOf(body)
    if (/[^\s{}]/.test(text) && !/\breturn [^;\n]/.test(text))
      replace('early return', { start: body.start, end: body.start + 1 }, '{ return;')
  }

  new Visitor(visitor).visit(program)
  const isExcluded = ({ start, end }: Range) =>
    excluded.some((range) => start >= range.start && end <= range.end)
  return sites.filter(([first]) => !isExcluded(first)).sort(([a], [b]) => a.start - b.start || a.end - b.end)
}

/** One more or less than a time of seconds changes nothing. */
function othersThan(value: number): [string, string] {
  return value >= 100 ? [String(value * 2), '0'] : [String(value + 1), String(value - 1)]
}

export function applied(source: string, { start, end, text }: Mutation): string {
  return source.slice(0, start) + text + source.slice(end)
}
