// How templates are compiled: built-in ones at build time, a user's when it is loaded. Not in templates.ts, because the
// build needs it before the compiled templates exist.

/** The only helpers: `sh` quotes one value, `list` several, `text` writes a heredoc. See docs/user-data.md. */
export const helperNames = ['sh', 'list', 'text'] as const
export type HelperName = (typeof helperNames)[number]

/** strict: an unknown name throws. noEscape: no HTML escapes in a shell script. */
export const compileOptions = {
  noEscape: true,
  strict: true,
  knownHelpersOnly: true,
  knownHelpers: { sh: true, list: true, text: true, if: true, unless: true, each: true },
}
