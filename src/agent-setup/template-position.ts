// Where a value stands in the script around it. Quoting alone does not help in another quote, a heredoc or a comment:
// there the shell, or a line of the value itself, would undo it.
import { placeIn, type ShellState, scanShell, startOfScript } from './shell-scanner.ts'
import type { HelperName } from './template-options.ts'

/** What must stand before a value on its line, and right after it. */
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
  /** Each branch begins where the block stands, and must end in the same place as the others. */
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
    report(node, `the value must stand alone: ${rules[helper].form}`)
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
      if (inside) report(node, `the value stands inside ${place}`)
      else if (!rules[helper].before.test(state.line)) refuse(node, helper)
      else waiting = { node, helper }
      state = scanShell(state, blank[helper])
    },
    partial(node) {
      settle('')
      const place = placeIn(state)
      if (place) report(node, `the partial stands inside ${place}`)
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
