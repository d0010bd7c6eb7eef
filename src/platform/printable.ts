// Makes text from outside safe for a terminal and for the log.

/** Characters that move a terminal's cursor, reverse its text or start a line; JSON.stringify does not escape all of them. */
const unsafe = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/** One safe line of text: each such character becomes `\\uXXXX`, which is also valid inside JSON. */
export function printable(text: string): string {
  return text.replace(unsafe, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
