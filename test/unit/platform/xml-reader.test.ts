import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readXml, xmlDate, xmlFields, xmlList, xmlText } from '../../../src/platform/xml-reader.ts'

const machine = xmlFields<{ Id?: string; At?: Date; State?: { Name?: string }; Tags?: string[] }>({
  Id: ['id', xmlText],
  At: ['at', xmlDate],
  State: ['state', xmlFields({ Name: ['name', xmlText] })],
  Tags: ['tagSet', xmlList(xmlText)],
})
const answer = xmlFields<{ Machines?: object[]; Token?: string }>({
  Machines: ['machineSet', xmlList(machine)],
  Token: ['token', xmlText],
})

async function* inPieces(text: string, size: number) {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

function read(text: string, size = 1e9): Promise<object> {
  return readXml(inPieces(text, size), 'Answer', answer)
}

const document = `\uFEFF<?xml version="1.0" encoding="UTF-8"?>
<!-- a comment with <Answer> in it -->
<Answer xmlns="http://example.com/">
  <unknown><token>not this one</token><machineSet><item><id>nor this</id></item></machineSet></unknown>
  <machineSet>
    <item><id>i-1</id><at>2026-11-29T03:00:00.000Z</at><state><code>16</code><name>running</name></state></item>
    <item><id>a &amp; b &lt;c&gt; &#228;&#x20AC; &nbsp; ü€</id><tagSet><item>x</item><item/></tagSet></item>
    <item><id></id><state/><extra attribute="1"/></item>
  </machineSet>
  <token>next</token>
</Answer>
`
const values = {
  Machines: [
    { Id: 'i-1', At: new Date('2026-11-29T03:00:00Z'), State: { Name: 'running' } },
    { Id: 'a & b <c> ä€ &nbsp; ü€', Tags: ['x', ''] },
    { Id: '', State: {} },
  ],
  Token: 'next',
}

describe('an XML answer', () => {
  it.each([1, 2, 3, 7, 64, 1e9])('is read for what is asked of it, in pieces of %i bytes', async (size) => {
    expect(await read(document, size)).toEqual(values)
  })

  it('without a list is not one with an empty list', async () => {
    expect(await read('<Answer></Answer>')).toEqual({})
    expect(await read('<Answer><machineSet/></Answer>')).toEqual({ Machines: [] })
  })

  it('that ends early is truncated, wherever it ends', async () => {
    const end = document.indexOf('</Answer>') + '</Answer>'.length
    const start = document.indexOf('<Answer xmlns') + '<Answer xmlns="http://example.com/">'.length
    for (let at = start; at < end; at += 3)
      await expect(read(document.slice(0, at), 50), document.slice(0, at)).rejects.toMatchObject({
        kind: 'truncated',
      })
  })

  it.each([
    ['nothing', ''],
    ['another root', '<Other></Other>'],
    ['text', 'hello'],
    ['JSON', '{"a": "<"}'],
    ['HTML', '<!doctype html><html></html>'],
    ['two documents', '<Answer></Answer><Answer></Answer>'],
  ])('is not %s', async (_, text) => {
    await expect(read(text)).rejects.toMatchObject({ kind: 'root' })
  })

  it.each([
    ['whose tags do not match', '<Answer><token>x</machineSet></Answer>'],
    ['with CDATA', '<Answer><token><![CDATA[x]]></token></Answer>'],
  ])('%s cannot be read', async (_, text) => {
    await expect(read(text)).rejects.toMatchObject({ kind: 'unreadable' })
  })

  it('gives back any text, however it is cut', async () => {
    const escaped = (text: string) =>
      text.replace(/[&<>\r]/g, (c) => `&#${c.charCodeAt(0)};`).replaceAll('"', '&quot;')
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme' })),
        fc.integer({ min: 1, max: 50 }),
        async (texts, size) => {
          const items = texts.map((text) => `<item><skipped>x</skipped><id>${escaped(text)}</id></item>`)
          const given = await read(`<Answer><machineSet>${items.join('')}</machineSet></Answer>`, size)
          expect(given).toEqual({ Machines: texts.map((Id) => ({ Id })) })
        },
      ),
    )
  })

  it('is not kept in memory by the texts that are read of it', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    async function* large() {
      yield Buffer.from('<Answer><machineSet>')
      for (let n = 0; n < 200; n++)
        yield Buffer.from(
          `<item><id>an instance with the number ${n}</id><unread>${'x'.repeat(262_144)}</unread></item>`,
        )
      yield Buffer.from('</machineSet></Answer>')
    }
    collect()
    const before = process.memoryUsage().heapUsed
    const { Machines = [] } = await readXml(large(), 'Answer', answer)
    collect()
    expect(Machines).toHaveLength(200)
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(20e6)
  })

  it('of thousands of elements lets other work run in between', async () => {
    const item = `<item><id>i-1</id>${'<unread>x</unread>'.repeat(200)}</item>`
    let turns = 0
    const timer = setInterval(() => turns++, 0)
    await read(`<Answer><machineSet>${item.repeat(3000)}</machineSet></Answer>`, 65_536)
    clearInterval(timer)
    expect(turns).toBeGreaterThan(10)
  })
})
