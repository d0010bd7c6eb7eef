// How every template is compiled: ours at build time and a user's when it is loaded. Apart from templates.ts, because the
// build needs it before the compiled templates are there.

/** The only helpers: `sh` quotes one value, `list` several, `text` writes a heredoc. See docs/user-data.md. */
export const helperNames = ['sh', 'list', 'text'] as const
export type HelperName = (typeof helperNames)[number]

/** strict: an unknown name throws. noEscape: HTML escapes have no business in a shell script. */
export const compileOptions = {
  noEscape: true,
  strict: true,
  knownHelpersOnly: true,
  knownHelpers: { sh: true, list: true, text: true, if: true, unless: true, each: true },
}
