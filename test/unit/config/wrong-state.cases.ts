// Wrong input: keys of `state` that contradict each other.
import type { WrongInput } from './marked.ts'
import { cases } from './wrong-keys.cases.ts'

export const wrongState: WrongInput[] = [
  ...cases('CONFIG_CONFLICT', [
    ['two folders for one state', 'state_dir: a\nstate: {path: ➤b}', 'remove one'],
    ['an address of a folder', 'state: {➤url: "postgresql://db/x"}', 'type: postgres'],
    ['a schema in a folder', 'state: {type: folder, ➤schema: s}', 'type: postgres'],
    ['a folder in a database', 'state: {type: postgres, ➤path: p}', 'state_dir'],
    ['two addresses', 'state: {type: postgres, ➤url: "postgresql://db/x", url_file: f}', 'Keep one'],
  ]),
  ...cases('CONFIG_BAD_VALUE', [
    ['an address that is none', 'state: {type: postgres, ➤url: db.example.com}', 'postgresql://'],
  ]),
  ...cases('CONFIG_NEEDS_KEY', [
    ['half of a client certificate', 'state: {type: postgres, ➤client_cert: c}', 'Add the key'],
  ]),
]
