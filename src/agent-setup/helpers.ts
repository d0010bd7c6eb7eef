// The three helpers through which values reach a script.

import { heredoc, quote } from './shell.ts'
import type { HelperName } from './template-options.ts'

export const helpers: Record<HelperName, (value: never) => string> = {
  sh: (value: string | boolean) => quote(String(value)),
  list: (values: string[]) => values.map(quote).join(' '),
  text: (value: string) => heredoc(value),
}
