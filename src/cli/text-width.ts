// How wide text is on a terminal, where a Chinese character or an emoji takes two columns.

/** Columns of a terminal that a text takes. */
export type Measure = (text: string) => number

const ascii = /^[\x20-\x7e]*$/

/** For these texts. The library costs 40 ms of processor time, so it is loaded only for other than ASCII. */
export async function measureFor(texts: string[]): Promise<Measure> {
  if (texts.every((text) => ascii.test(text))) return (text) => text.length
  const { default: stringWidth } = await import('string-width')
  return stringWidth
}

/** With blanks behind it, up to a width. */
export function padded(text: string, width: number, measure: Measure): string {
  return text + ' '.repeat(Math.max(0, width - measure(text)))
}
