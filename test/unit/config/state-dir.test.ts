// The state folder of a file that has errors elsewhere.
import { describe, expect, it } from 'vitest'
import { isStateInFolder, stateDirOf } from '../../../src/config/index.ts'

const of = (text: string) => stateDirOf('/etc/p/master.yaml', { readFile: () => Buffer.from(text) })

describe('the state folder of a file that has errors elsewhere', () => {
  it.each([
    ['an unknown key', 'max_instancs: 2\n', '/etc/p/.provision'],
    ['an unknown key, and a folder', 'max_instancs: 2\nstate_dir: /var/lib/p\n', '/var/lib/p'],
    ['an unknown key, and a folder in `state`', 'max_instancs: 2\nstate: {path: kept}\n', '/etc/p/kept'],
    ['a database', 'port: x\nstate: {type: postgres, url: "postgresql://db/x"}\n', '/etc/p/.provision'],
    ['a folder beside the file', 'state_dir: state\nport: [\n', '/etc/p/state'],
    [
      'a folder in quotes, in a text that is no YAML',
      'port: {\nstate_dir: "my state" # here\n',
      '/etc/p/my state',
    ],
    ['no folder, in a text that is no YAML', 'port: [\n  state_dir: inner\n', '/etc/p/.provision'],
  ])('is read in spite of %s', (_, text, folder) => {
    expect(of(text)).toBe(folder)
  })

  it.each(['state_dir: [a]\n', 'state_dir: 5\n', "state_dir: ''\n"])('is not guessed: %s', (text) => {
    expect(of(text)).toBeUndefined()
  })

  it.each([
    ['port: x\n', true],
    ['port: x\nstate: {type: folder}\n', true],
    ['port: x\nstate: {type: postgres}\n', false],
    ['port: [\nstate:\n  url_file: x\n  type: postgres\n', false],
    ['port: [\ndemand:\n  type: postgres\n', true],
  ])('holds no state that is in a database: %j', (text, isHere) => {
    expect(isStateInFolder('master.yaml', { readFile: () => Buffer.from(text) })).toBe(isHere)
  })

  it('is not known without the file', () => {
    expect(stateDirOf('/nowhere/master.yaml')).toBeUndefined()
  })
})
