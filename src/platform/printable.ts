// Text of others, for a terminal and for the log.

/** What moves a terminal's cursor, turns its text around or begins a line: JSON leaves C1 and these as they are. */
const unsafe = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/** One line of text that only shows itself: each such mark as `\\uXXXX`, in JSON as well as out of it. */
export function printable(text: string): string {
  return text.replace(unsafe, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
