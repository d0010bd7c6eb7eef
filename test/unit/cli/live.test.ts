import { describe, expect, it } from 'vitest'
import { liveArea } from '../../../src/cli/live-area.ts'
import { liveView } from '../../../src/cli/live-view.ts'
import type { FleetRow } from '../../../src/http/fleet-control.ts'

const joined: FleetRow = {
  pool: 'default',
  instance: 'local-1f2e3d4c-0',
  local: true,
  state: 'running',
  agent: 'joined',
  slots: 1,
  tlsVersion: 'TLSv1.3',
  certificateName: 'master.local.example',
  launchedAt: 1000,
}

describe('the live table', () => {
  it('shows pool, instance, state, agent, TLS version and certificate name', () => {
    const { slots, tlsVersion, certificateName, ...unknown } = joined
    const booting: FleetRow = {
      ...unknown,
      pool: 'gpu',
      instance: 'i-1',
      state: 'starting',
      agent: 'waiting',
    }
    expect(liveView([joined, booting], 46_000)).toMatchInlineSnapshot(`
      [
        "POOL     INSTANCE          STATE     AGENT    SLOTS  TLS      CERTIFICATE NAME      AGE",
        "default  local-1f2e3d4c-0  running   joined   1      TLSv1.3  master.local.example  45s",
        "gpu      i-1               starting  waiting  -      -        -                     45s",
      ]
    `)
  })

  it('says that there is nothing yet', () => {
    expect(liveView([], 0)).toEqual(['(no instances yet)'])
  })

  it.each([
    [-5_000, '0s'],
    [119_000, '119s'],
    [120_000, '2m'],
    [7_200_000, '2h'],
    [200_000_000, '2d'],
  ])('writes an age of %i ms as %s', (ms, text) => {
    expect(liveView([{ ...joined, launchedAt: 0 }], ms)[1]).toMatch(new RegExp(` ${text}$`))
  })
})

describe('the live area', () => {
  function drawn() {
    let text = ''
    const area = liveArea(
      (part) => (text += part),
      () => 10,
    )
    return { area, text: () => text }
  }

  it('redraws in place, and only when something changed', () => {
    const { area, text } = drawn()
    area.draw(['one', 'two'])
    area.draw(['one', 'two'])
    area.draw(['three'])
    expect(text()).toBe('one\ntwo\n\x1b[2A\r\x1b[0Jthree\n')
  })

  it('keeps log lines above itself', () => {
    const { area, text } = drawn()
    area.draw(['table'])
    area.print('agent joined')
    expect(text()).toBe('table\n\x1b[1A\r\x1b[0Jagent joined\ntable\n')
  })

  it('cuts lines at the terminal’s width, so that the next drawing finds its own', () => {
    const { area, text } = drawn()
    area.draw(['0123456789abc'])
    expect(text()).toBe('0123456789\n')
  })
})
