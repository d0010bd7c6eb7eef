// Wrong input: how rollouts replace instances.
import { local, type WrongInput } from './marked.ts'
import { cases } from './wrong-keys.cases.ts'

const rollout = (text: string) => local(`rollout: {${text}}`)
const weekly = 'max_lifetime: 168h'

export const wrongRollouts: WrongInput[] = [
  ...cases('CONFIG_BAD_CHOICE', [
    ['a way that does not exist', rollout('when: ➤busy'), '"idle", "budget" or "never"'],
  ]),
  ...cases('CONFIG_WRONG_TYPE', [
    ['no instance out of service', rollout('max_unavailable: ➤0'), 'from "1%" to "100%"'],
    ['no percentage', rollout('max_unavailable: ➤ten'), 'from "1%" to "100%"'],
    ['more than all instances', rollout('surge: ➤101%'), 'from "1%" to "100%"'],
    ['a schedule that is no list', rollout('schedule: ➤"0 22 * * *"'), 'item'],
  ]),
  ...cases('CONFIG_MISSING_KEY', [
    ['a window without its length', rollout('schedule: [➤{cron: "0 22 * * *"}]'), 'Add the key'],
  ]),
  ...cases('CONFIG_BAD_DURATION', [
    ['a window that is never open', rollout('schedule: [{cron: "0 22 * * *", duration: ➤0s}]'), '20m'],
    ['a timeout without a unit', rollout('when: budget, drain_timeout: ➤60'), '20m'],
  ]),
  ...cases('CONFIG_BAD_VALUE', [
    [
      'a minute that does not exist',
      rollout('schedule: [{cron: ➤"61 22 * * *", duration: 1h}]'),
      '"0 22 * * 1-5"',
    ],
    [
      'an expression with seconds',
      rollout('schedule: [{cron: ➤"0 0 22 * * *", duration: 1h}]'),
      '"0 22 * * 1-5"',
    ],
    [
      'a day that does not exist',
      rollout('schedule: [{cron: ➤"0 0 30 2 *", duration: 1h}]'),
      '"0 22 * * 1-5"',
    ],
    [
      'a time zone that does not exist',
      rollout('schedule: [{cron: "0 0 * * *", duration: 1h, time_zone: ➤Europe/Berln}]'),
      'IANA',
    ],
  ]),
  ...cases('CONFIG_OUT_OF_RANGE', [['a life shorter than an hour', local('max_lifetime: ➤59m'), '168h']]),
  ...cases('CONFIG_UNUSED', [
    ['an age where nothing is replaced', local(`rollout: {when: never}\n➤${weekly}`), '`when: idle`'],
    ['a drain timeout of idle instances', rollout('➤drain_timeout: 1h'), '`when: budget`'],
    ['a drain timeout of none', rollout('when: never, ➤drain_timeout: 1h'), '`when: budget`'],
  ]),
]
